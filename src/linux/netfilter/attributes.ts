/**
 * Netlink attributes as nf_tables takes them (netlink(7); linux/netfilter/nf_tables.h): integers in network order, names
 * with a closing zero byte, each attribute padded to four bytes.
 */
const NLA_F_NESTED = 0x8000;

export type Attribute = readonly [type: number, value: Uint8Array | string | number | readonly Attribute[]];

export function encodeAttributes(attributes: readonly Attribute[]): Uint8Array {
  return concatenate(attributes.map(encodeAttribute));
}

export function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A number is an unsigned or signed integer of 32 bits. */
function encodeAttribute([type, value]: Attribute): Uint8Array {
  const isNested = typeof value === 'object' && !(value instanceof Uint8Array);
  const contents = isNested ? encodeAttributes(value) : encodeValue(value);
  const bytes = new Uint8Array((4 + contents.length + 3) & ~3);
  const view = new DataView(bytes.buffer);
  // Length and type are in the host's order, little-endian on all machines that src/linux supports.
  view.setUint16(0, 4 + contents.length, true);
  view.setUint16(2, isNested ? type | NLA_F_NESTED : type, true);
  bytes.set(contents, 4);
  return bytes;
}

function encodeValue(value: Uint8Array | string | number): Uint8Array {
  if (typeof value === 'string') return new TextEncoder().encode(`${value}\0`);
  if (typeof value !== 'number') return value;
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value | 0);
  return bytes;
}
