/** What the main thread of measures/udp.ts and its two threads tell each other. */
export interface UdpRun {
  readonly namespace: string;
  readonly port: number;
  /** Payload of a datagram. */
  readonly bytes: number;
  /** Memory of all three; `SHARED` says what lies where. */
  readonly shared: Int32Array;
}

export interface SenderRun extends UdpRun {
  readonly address: string;
  readonly packetsPerSecond: number;
  readonly seconds: number;
}

export interface Sent {
  readonly packets: number;
  readonly seconds: number;
}

export const SHARED = { mustStop: 0, received: 1, end: 2 } as const;
