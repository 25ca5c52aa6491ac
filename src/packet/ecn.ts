/**
 * Explicit congestion notification through a tunnel (RFC 6040, normal mode): the outer header tells what the inner one
 * says, and what routers on the way said of the outer one reaches the inner one.
 */
import { checksumOf } from './checksum.ts';
import { IPV4 } from './ip.ts';
import { viewOf } from './view.ts';

/** The two bits (RFC 3168 §5). */
export const NOT_ECT = 0;
export const ECT_1 = 1;
export const ECT_0 = 2;
export const CE = 3;

/** The ECN bits of the packet at `offset`. */
export function readEcn(bytes: Uint8Array, offset: number): number {
  return bytes[offset] >> 4 === 4 ? bytes[offset + IPV4.typeOfService] & 3 : (bytes[offset + 1] >> 4) & 3;
}

/**
 * Gives the decapsulated packet at `offset` the ECN bits that follow from those of the outer header (RFC 6040 §4.2,
 * figure 4). @returns false if the packet must be dropped: it bears congestion to somebody who would not understand it
 */
export function decapsulateEcn(bytes: Uint8Array, offset: number, outer: number): boolean {
  if (outer === NOT_ECT || outer === ECT_0) return true;
  const inner = readEcn(bytes, offset);
  if (outer === CE) {
    if (inner === NOT_ECT) return false;
    if (inner !== CE) writeEcn(bytes, offset, CE);
  } else if (inner === ECT_0) {
    writeEcn(bytes, offset, ECT_1);
  }
  return true;
}

function writeEcn(bytes: Uint8Array, offset: number, ecn: number): void {
  if (bytes[offset] >> 4 !== 4) {
    bytes[offset + 1] = (bytes[offset + 1] & ~0x30) | (ecn << 4);
    return;
  }
  const view = viewOf(bytes);
  const before = view.getUint16(offset);
  bytes[offset + IPV4.typeOfService] = (bytes[offset + IPV4.typeOfService] & ~3) | ecn;
  // By the difference (RFC 1624 §3, equation 3): summing up the header would make a broken one look right.
  const sum = ~view.getUint16(offset + IPV4.checksum) & 0xffff;
  view.setUint16(offset + IPV4.checksum, checksumOf(sum + (~before & 0xffff) + view.getUint16(offset)));
}
