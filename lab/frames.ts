/**
 * What a frame on a link carries, told from its bytes alone as a stranger on the link would: by no code of the daemon's,
 * so that the demo's verdict does not rest on what it judges. Message types: WireGuard whitepaper §5.4; the mesh's own
 * messages begin with a byte outside of 1 to 4.
 */
export const FRAME_KINDS = ['initiation', 'response', 'cookie-reply', 'transport', 'mesh', 'other'] as const;
export type FrameKind = (typeof FRAME_KINDS)[number];

/** Where the fields of Ethernet, IPv6 (RFC 8200 §3) and IPv4 (RFC 791 §3.1) headers lie, in bytes. */
const ETHERNET = { type: 12, end: 14 } as const;
const IPV6 = { type: 0x86dd, nextHeader: 6, end: 40 } as const;
const IPV4 = { type: 0x0800, lengthInWords: 0, protocol: 9 } as const;
const UDP = { protocol: 17, end: 8 } as const;

/** Sizes of the messages of fixed size; transport data has 32 bytes or more, and many may come as one long frame. */
const WIREGUARD: Readonly<Record<number, { kind: FrameKind; bytes: number } | undefined>> = {
  1: { kind: 'initiation', bytes: 148 },
  2: { kind: 'response', bytes: 92 },
  3: { kind: 'cookie-reply', bytes: 64 },
};
const TRANSPORT = { type: 4, minimumBytes: 32 } as const;
const MESH_MAGIC = 0x77;

export function classifyFrame(frame: Uint8Array): FrameKind {
  const payload = udpPayload(frame);
  if (payload === undefined || payload.length < 4) return 'other';
  if (payload[0] === MESH_MAGIC) return 'mesh';
  if (payload[1] !== 0 || payload[2] !== 0 || payload[3] !== 0) return 'other';
  if (payload[0] === TRANSPORT.type) return payload.length >= TRANSPORT.minimumBytes ? 'transport' : 'other';
  const message = WIREGUARD[payload[0]];
  return message?.bytes === payload.length ? message.kind : 'other';
}

/** What UDP carries in an Ethernet frame, or `undefined` where that is not plain UDP over IP. */
function udpPayload(frame: Uint8Array): Uint8Array | undefined {
  const type = (frame[ETHERNET.type] << 8) | frame[ETHERNET.type + 1];
  const packet = frame.subarray(ETHERNET.end);
  if (type === IPV6.type && packet[IPV6.nextHeader] === UDP.protocol) return packet.subarray(IPV6.end + UDP.end);
  if (type !== IPV4.type || packet[IPV4.protocol] !== UDP.protocol) return undefined;
  return packet.subarray((packet[IPV4.lengthInWords] & 0x0f) * 4 + UDP.end);
}
