import { millis, type Millis } from '../machine/index.ts';

/**
 * TAI64N (https://cr.yp.to/libtai/tai64.html): 8 bytes of seconds and 4 of nanoseconds, big-endian, so that their
 * order is the order of their bytes. The first second of Unix time is 2^62 + 10.
 */
export const TIMESTAMP_LENGTH = 12;

/** A finer clock would tell an observer who holds the static key about load and clock drift (whitepaper §5.4.2). */
const GRANULARITY_NANOS = 2 ** 24;
/** Two points in time at least this far apart have different timestamps. */
export const TIMESTAMP_GRANULARITY = millis(17);

export function timestampAt(unixTime: Millis): Uint8Array {
  const wholeSeconds = Math.floor(unixTime / 1000);
  const nanos = Math.floor((unixTime - wholeSeconds * 1000) * 1e6);
  const label = wholeSeconds + 10;
  const bytes = new Uint8Array(TIMESTAMP_LENGTH);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x4000_0000 + Math.floor(label / 0x1_0000_0000));
  view.setUint32(4, label >>> 0);
  view.setUint32(8, nanos - (nanos % GRANULARITY_NANOS));
  return bytes;
}

/** Whether timestamp `a` is later than `b`. */
export function isLater(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < TIMESTAMP_LENGTH; i++) if (a[i] !== b[i]) return a[i] > b[i];
  return false;
}
