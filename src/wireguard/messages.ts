import { MAC_LENGTH, TAG } from './constants.ts';

/**
 * The four messages on the wire (whitepaper §5.4.2–5.4.7). Integers are little-endian. The type is one byte with three
 * reserved zero bytes behind it, read as one integer: a message with other reserved bytes is none.
 * Fields of a message that was read are views into the datagram.
 */
export const MESSAGE_TYPE = { initiation: 1, response: 2, cookieReply: 3, transportData: 4 } as const;

const INITIATION = {
  type: 0,
  sender: 4,
  ephemeral: 8,
  static: 40,
  timestamp: 88,
  mac1: 116,
  mac2: 132,
  end: 148,
} as const;
const RESPONSE = { type: 0, sender: 4, receiver: 8, ephemeral: 12, empty: 44, mac1: 60, mac2: 76, end: 92 } as const;
const COOKIE_REPLY = { type: 0, receiver: 4, nonce: 8, cookie: 32, end: 64 } as const;
/** Header of transport data; the sealed packet follows. */
export const TRANSPORT_DATA = { type: 0, receiver: 4, counter: 8, packet: 16 } as const;
export const TRANSPORT_HEADER = TRANSPORT_DATA.packet;

export interface HandshakeInitiation {
  readonly sender: number;
  readonly ephemeral: Uint8Array;
  /** The initiator's static public key, sealed. */
  readonly static: Uint8Array;
  /** Sealed. */
  readonly timestamp: Uint8Array;
}

export interface HandshakeResponse {
  readonly sender: number;
  readonly receiver: number;
  readonly ephemeral: Uint8Array;
  /** Nothing, sealed: proof that the responder has the keys. */
  readonly empty: Uint8Array;
}

export interface CookieReply {
  readonly receiver: number;
  readonly nonce: Uint8Array;
  /** Sealed. */
  readonly cookie: Uint8Array;
}

/** The type of the message that `datagram` may be, with its reserved bytes; `undefined` if it is too short for any. */
export function messageType(datagram: Uint8Array): number | undefined {
  return datagram.length < 4 ? undefined : viewOf(datagram).getUint32(0, true);
}

/** Reads a handshake initiation, or returns `undefined` if `datagram` cannot be one. Authenticates nothing. */
export function readInitiation(datagram: Uint8Array): HandshakeInitiation | undefined {
  if (datagram.length !== INITIATION.end || messageType(datagram) !== MESSAGE_TYPE.initiation) return undefined;
  return {
    sender: viewOf(datagram).getUint32(INITIATION.sender, true),
    ephemeral: datagram.subarray(INITIATION.ephemeral, INITIATION.static),
    static: datagram.subarray(INITIATION.static, INITIATION.timestamp),
    timestamp: datagram.subarray(INITIATION.timestamp, INITIATION.mac1),
  };
}

/** Writes a handshake initiation with both macs zero. */
export function writeInitiation(message: HandshakeInitiation): Uint8Array {
  const datagram = new Uint8Array(INITIATION.end);
  const view = viewOf(datagram);
  view.setUint32(INITIATION.type, MESSAGE_TYPE.initiation, true);
  view.setUint32(INITIATION.sender, message.sender, true);
  datagram.set(message.ephemeral, INITIATION.ephemeral);
  datagram.set(message.static, INITIATION.static);
  datagram.set(message.timestamp, INITIATION.timestamp);
  return datagram;
}

/** Reads a handshake response, or returns `undefined` if `datagram` cannot be one. Authenticates nothing. */
export function readResponse(datagram: Uint8Array): HandshakeResponse | undefined {
  if (datagram.length !== RESPONSE.end || messageType(datagram) !== MESSAGE_TYPE.response) return undefined;
  const view = viewOf(datagram);
  return {
    sender: view.getUint32(RESPONSE.sender, true),
    receiver: view.getUint32(RESPONSE.receiver, true),
    ephemeral: datagram.subarray(RESPONSE.ephemeral, RESPONSE.empty),
    empty: datagram.subarray(RESPONSE.empty, RESPONSE.mac1),
  };
}

/** Writes a handshake response with both macs zero. */
export function writeResponse(message: HandshakeResponse): Uint8Array {
  const datagram = new Uint8Array(RESPONSE.end);
  const view = viewOf(datagram);
  view.setUint32(RESPONSE.type, MESSAGE_TYPE.response, true);
  view.setUint32(RESPONSE.sender, message.sender, true);
  view.setUint32(RESPONSE.receiver, message.receiver, true);
  datagram.set(message.ephemeral, RESPONSE.ephemeral);
  datagram.set(message.empty, RESPONSE.empty);
  return datagram;
}

/** Reads a cookie reply, or returns `undefined` if `datagram` cannot be one. Authenticates nothing. */
export function readCookieReply(datagram: Uint8Array): CookieReply | undefined {
  if (datagram.length !== COOKIE_REPLY.end || messageType(datagram) !== MESSAGE_TYPE.cookieReply) return undefined;
  return {
    receiver: viewOf(datagram).getUint32(COOKIE_REPLY.receiver, true),
    nonce: datagram.subarray(COOKIE_REPLY.nonce, COOKIE_REPLY.cookie),
    cookie: datagram.subarray(COOKIE_REPLY.cookie),
  };
}

export function writeCookieReply(message: CookieReply): Uint8Array {
  const datagram = new Uint8Array(COOKIE_REPLY.end);
  const view = viewOf(datagram);
  view.setUint32(COOKIE_REPLY.type, MESSAGE_TYPE.cookieReply, true);
  view.setUint32(COOKIE_REPLY.receiver, message.receiver, true);
  datagram.set(message.nonce, COOKIE_REPLY.nonce);
  datagram.set(message.cookie, COOKIE_REPLY.cookie);
  return datagram;
}

/** The receiver index of transport data, or `undefined` if `datagram` cannot be transport data. */
export function readTransportReceiver(datagram: Uint8Array): number | undefined {
  if (datagram.length < TRANSPORT_HEADER + TAG || messageType(datagram) !== MESSAGE_TYPE.transportData)
    return undefined;
  return viewOf(datagram).getUint32(TRANSPORT_DATA.receiver, true);
}

/** Where the two macs begin in an initiation or a response: they are its last fields. */
export function macOffsets(datagram: Uint8Array): { mac1: number; mac2: number } {
  return { mac1: datagram.length - 2 * MAC_LENGTH, mac2: datagram.length - MAC_LENGTH };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
