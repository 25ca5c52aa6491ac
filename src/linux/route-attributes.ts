/** `struct rtattr` (rtnetlink(7)): length with its own four bytes, type, value; the next starts on a multiple of four. */
export type RouteAttributes = ReadonlyMap<number, Uint8Array>;

export function readAttributes(bytes: Uint8Array): RouteAttributes {
  const view = viewOf(bytes);
  const attributes = new Map<number, Uint8Array>();
  for (let at = 0; at + 4 <= bytes.length;) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > bytes.length) break;
    attributes.set(view.getUint16(at + 2, true), bytes.subarray(at + 4, at + length));
    at += (length + 3) & ~3;
  }
  return attributes;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
