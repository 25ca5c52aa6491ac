import { foldSum, sumWords } from './checksum.ts';
import { viewOf } from './view.ts';

/** Sums over whole packets (RFC 1071), as one 16-bit word each: what the data path spends its time with. */
export interface Checksums {
  sum(bytes: Uint8Array, offset: number, length: number): number;
  /** Copies `length` bytes to other memory. @returns their sum */
  copyAndSum(to: Uint8Array, toOffset: number, from: Uint8Array, fromOffset: number, length: number): number;
}

/** On any memory. */
export const plainChecksums: Checksums = {
  sum: (bytes, offset, length) => foldSum(sumWords(viewOf(bytes), offset, length)),
  // eslint-disable-next-line max-params -- an object would be an allocation a packet
  copyAndSum(to, toOffset, from, fromOffset, length) {
    to.set(from.subarray(fromOffset, fromOffset + length), toOffset);
    return this.sum(to, toOffset, length);
  },
};
