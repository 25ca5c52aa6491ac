/** Sequence numbers modulo 2^16 (RFC 8966 §3.2.1). */

export function seqnoPlus(seqno: number, amount: number): number {
  return (seqno + amount) & 0xffff;
}

/** Whether `a` is older than `b`. */
export function isSeqnoLess(a: number, b: number): boolean {
  return a !== b && seqnoDistance(a, b) > 0;
}

/** How far `to` is ahead of `from`, -32768 to 32767. */
export function seqnoDistance(from: number, to: number): number {
  return ((to - from) << 16) >> 16;
}
