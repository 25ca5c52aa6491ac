import type { Prefix } from '../inet/index.ts';

/** First octets and lengths of what no route leads to (RFC 8966 Appendix C). */
const MARTIANS: readonly { readonly bytes: readonly number[]; readonly family: 4 | 6 }[] = [
  { family: 6, bytes: [0xff] },
  { family: 6, bytes: [0xfe, 0x80, 0, 0, 0, 0, 0, 0] },
  { family: 6, bytes: new Array<number>(16).fill(0).with(15, 1) },
  { family: 4, bytes: [127] },
];

/** Whether there can be no route to `prefix`: multicast, link-local, loopback. */
export function isMartian({ address: { family, bytes }, length }: Prefix): boolean {
  // 224.0.0.0/4 and what lies above it; 0.0.0.0/8, but for the default route and its halves.
  if (family === 4 && length >= 4 && bytes[0] >= 224) return true;
  if (family === 4 && length >= 8 && bytes[0] === 0) return true;
  return MARTIANS.some(
    (martian) =>
      martian.family === family &&
      length >= martian.bytes.length * 8 &&
      martian.bytes.every((byte, i) => byte === bytes[i]),
  );
}
