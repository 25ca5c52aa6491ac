/**
 * A look at CBOR (RFC 8949) before it is decoded. The decoder calls itself for each level: 4 KiB of arrays within arrays
 * took it 14 ms, a hundred times what a signature takes to verify, and that before the signature is looked at.
 */

/** A description has three levels; the rest is for later versions. */
const MAX_DEPTH = 8;
/** A description has 450 at most, with all the networks, endpoints and capabilities that it may have. */
const MAX_ITEMS = 1024;

const MAJOR = { byteString: 2, textString: 3, array: 4, map: 5, tag: 6 } as const;

/** Whether all items lie in `bytes` and within `MAX_DEPTH` levels, they are no more than `MAX_ITEMS`, and none is a tag or of indefinite length. */
export function isWithinBounds(bytes: Uint8Array): boolean {
  /** For each open container, how many items are to come. */
  const open = [1];
  let at = 0;
  let count = 0;
  while (open.length > 0) {
    if (open[open.length - 1]-- === 0) {
      open.pop();
      continue;
    }
    const head = headAt(bytes, at);
    if (head === undefined || head.major === MAJOR.tag || ++count > MAX_ITEMS) return false;
    at = head.end;
    if (head.major === MAJOR.byteString || head.major === MAJOR.textString) at += head.argument;
    if (at > bytes.length) return false;
    if (head.major !== MAJOR.array && head.major !== MAJOR.map) continue;
    const items = head.major === MAJOR.map ? 2 * head.argument : head.argument;
    if (items > bytes.length - at || open.length > MAX_DEPTH) return false;
    open.push(items);
  }
  return true;
}

interface Head {
  readonly major: number;
  readonly argument: number;
  /** Where what follows begins. */
  readonly end: number;
}

/** The first byte of an item and its argument (§3); `undefined` for what is reserved, indefinite or cut off. */
function headAt(bytes: Uint8Array, at: number): Head | undefined {
  if (at >= bytes.length) return undefined;
  const major = bytes[at] >> 5;
  const information = bytes[at] & 0x1f;
  if (information < 24) return { major, argument: information, end: at + 1 };
  if (information > 27) return undefined;
  const end = at + 1 + 2 ** (information - 24);
  if (end > bytes.length) return undefined;
  let argument = 0;
  for (let i = at + 1; i < end; i++) argument = argument * 256 + bytes[i];
  return { major, argument, end };
}
