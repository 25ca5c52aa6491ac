/** What a data path has taken in so far, in both directions. */
export interface Work {
  /** Of the TUN device and of sockets: packets and trains, large and small. */
  reads: number;
  bytes: number;
}

export function noWork(): Work {
  return { reads: 0, bytes: 0 };
}
