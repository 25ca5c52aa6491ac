/**
 * The mesh's own messages. Three travel on the WireGuard UDP port, where the first byte keeps them apart from
 * WireGuard's (1–4); the others travel inside the tunnel, where WireGuard has authenticated the sender. Integers are in
 * network order; bytes behind the last field are ignored, for later versions.
 *
 *      0        1         2        3          4                      12
 *     | 'w'    | version | type   | reserved | mesh tag (8 bytes)   | fields of the type …
 *
 * Outside, nobody is authenticated yet, so no answer is larger than its question, or a forged source address would turn
 * us into an amplifier: a `Hello` is as long as its answer, and a `DescriptionRequest` is padded to the length that the
 * `DescriptionPart` may have, 1,200 bytes at most. 1,200 bytes pass everywhere in IPv6 (RFC 8200 §5), even inside the tunnel.
 */
import * as cbor from 'cborg';
import type { IdentityPrimitives } from '../crypto/primitives.ts';
import type { Endpoint } from '../inet/index.ts';
import { MAX_DESCRIPTION_BYTES } from './description.ts';
import { domain } from './domain.ts';
import { fromHex } from './hex.ts';
import { lengthOfFragment, readFragment, writeFragment, type MessageFragment } from './message-fragment.ts';
import {
  ECHO_BYTES,
  lengthOfRoutingMessage,
  readRoutingMessage,
  ROUTING_KINDS,
  writeRoutingMessage,
  type RoutingMessage,
} from './routing-messages.ts';
import { ENDPOINT_BYTES, readEndpoint, writeEndpoint } from './wire-endpoint.ts';
import { NEWS_BYTES, readNews, readNodeId, readSequence, writeNews, type News } from './wire-news.ts';

export type { News } from './wire-news.ts';

/** The first byte of every message. */
export const MAGIC = 0x77;
export const MAX_MESSAGE_BYTES = 1200;
const VERSION = 3;

const TYPE = {
  hello: 1,
  'description-request': 2,
  'description-part': 3,
  probe: 4,
  'probe-reply': 5,
  announce: 6,
  summary: 7,
  leave: 8,
  digest: 9,
  babel: 10,
  call: 11,
  'echo-request': 12,
  'echo-reply': 13,
  'seqno-statements': 14,
  'seqno-question': 15,
  'path-complaint': 16,
  fragment: 17,
} as const;

/** Where the fields lie, in bytes. */
const HEADER = { magic: 0, version: 1, type: 2, tag: 4, end: 12 } as const;
const HELLO = {
  ...{ nodeId: 12, sequence: 40, knownSequence: 48, challenge: 56, echo: 64, flags: 72 },
  ...{ target: 73, signature: 92, end: 156 },
} as const;
const REQUEST = { nodeId: 12, nonce: 40, offset: 48, end: 50 } as const;
const PART = { nodeId: 12, nonce: 40, sequence: 48, total: 56, offset: 58, bytes: 60 } as const;
const PROBE = { nonce: 12, flags: 20, end: 21 } as const;
const REPLY = { seenAt: 21, end: 40 } as const;
const CALL = { flags: 12, candidates: 13 } as const;
const DIGEST = { digest: 12, end: 28 } as const;
const BABEL = { packet: 12 } as const;
const SUMMARY = { flags: 12, entries: 16 } as const;

/** Passes where datagrams of 576 bytes do (RFC 791 §3.1). */
export const SHORT_REQUEST_BYTES = 480;
export const PART_HEADER_BYTES = PART.bytes;
export const MAX_PART_BYTES = MAX_MESSAGE_BYTES - PART.bytes;
export const MAX_SUMMARY_ENTRIES = Math.floor((MAX_MESSAGE_BYTES - SUMMARY.entries) / NEWS_BYTES);
const PLEASE_ANSWER = 1;
const HELLO_LABEL = domain('wiremesh hello v1');
export const NO_SIGNATURE = new Uint8Array(HELLO.end - HELLO.signature);
/** In the flags of a probe and of its reply: the wish, and beside it one bit each. */
const WISH = 3;
const IS_INTERESTED = 4;
const IS_CONFIRMED = 8;
const IS_NEIGHBOUR = 4;
const WISHES = ['no', 'likes', 'needs'] as const;

export const DIGEST_BYTES = DIGEST.end - DIGEST.digest;
export const MAX_CALL_CANDIDATES = 8;
/** In front of the bytes of a fragment, with the headers of IPv6 and UDP. */
export const FRAGMENT_PACKET_BYTES = 48 + HEADER.end + 6;
export const HELLO_BYTES = HELLO.end;
/** In the tunnel, behind headers of IPv6 and UDP: the packet that asks for an echo. */
export const ECHO_PACKET_BYTES = 48 + HEADER.end + ECHO_BYTES;
export const MAX_BABEL_BYTES = MAX_MESSAGE_BYTES - BABEL.packet;

export interface Hello extends News {
  readonly kind: 'hello';
  /** The sequence number of the newest description of the receiver that the sender knows; 0 if none. */
  readonly knownSequence: number;
  /** To be sent back as `echo`; 0 in a beacon. */
  readonly challenge: bigint;
  /** The challenge of the Hello that this one answers: its sender gets what is sent to its address. 0: no answer. */
  readonly echo: bigint;
  readonly pleaseAnswer: boolean;
  /** In an answer, the endpoint that it is sent to: who passes it on under an address of his own shows here. */
  readonly target: Endpoint | undefined;
  /** In an answer, that of the sender's identity over all the rest (`signedPartOfHello`); zeros in others. */
  readonly signature: Uint8Array;
}

export interface DescriptionRequest {
  readonly kind: 'description-request';
  readonly nodeId: string;
  readonly nonce: bigint;
  readonly offset: number;
  /** Of the whole message, in bytes: the answer may be as long. Shorter ones are for paths that carry no longer ones. */
  readonly length: number;
}

export interface DescriptionPart extends News {
  readonly kind: 'description-part';
  /** The request's, so that nobody who has not seen it can answer it. */
  readonly nonce: bigint;
  /** Length of the whole description, in bytes. */
  readonly total: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Whether one node wants another as its neighbour; `needs`: the mesh might fall apart otherwise. */
export type Wish = (typeof WISHES)[number];

/** Sent on a direct path: for the round-trip time, and to know that the path works. */
export interface Probe {
  readonly kind: 'probe';
  readonly nonce: bigint;
  readonly wish: Wish;
  /** The sender wants the path for a reason of its own, not only because it is probed itself. */
  readonly isInterested: boolean;
  /** The sender's last probe was answered: the receiver need not find that out by itself. */
  readonly isConfirmed: boolean;
}

export interface ProbeReply {
  readonly kind: 'probe-reply';
  readonly nonce: bigint;
  /** That of the probe: what the sender has answered may have been overtaken. */
  readonly wish: Wish;
  /** To its sender the receiver is a neighbour. */
  readonly isNeighbour: boolean;
  /** The endpoint at which its sender sees the receiver. */
  readonly seenAt: Endpoint | undefined;
}

/** Before hole punching: where the sender may be reached. */
export interface Call {
  readonly kind: 'call';
  /** The receiver is to say the same of itself. */
  readonly pleaseAnswer: boolean;
  readonly candidates: readonly Endpoint[];
}

/** A newer description was accepted and can be asked for. */
export interface Announce extends News {
  readonly kind: 'announce';
}

/** What the sender knows, or a page of it. */
export interface Summary {
  readonly kind: 'summary';
  /** The receiver is to send its own, which asks for no answer. */
  readonly pleaseAnswer: boolean;
  readonly entries: readonly News[];
}

/** Of all that the sender knows: who knows something else answers with a `Summary`. */
export interface Digest {
  readonly kind: 'digest';
  readonly digest: Uint8Array;
}

/** A packet of the Babel protocol (RFC 8966), between neighbours. */
export interface BabelMessage {
  readonly kind: 'babel';
  readonly packet: Uint8Array;
}

/** The sender shuts down. */
export interface Leave {
  readonly kind: 'leave';
}

export type Message =
  | Hello
  | DescriptionRequest
  | DescriptionPart
  | Probe
  | ProbeReply
  | Announce
  | Summary
  | Digest
  | BabelMessage
  | Call
  | RoutingMessage
  | MessageFragment
  | Leave;
export type MessageDrop = 'message-malformed' | 'message-unknown-version' | 'message-unknown-type' | 'foreign-mesh';

/** Eight bytes that tell meshes apart early. It is no secret and proves nothing. */
export function meshTag(meshName: string, { sha224 }: Pick<IdentityPrimitives, 'sha224'>): Uint8Array {
  return sha224(domain('wiremesh mesh tag v1'), cbor.encode(meshName)).slice(0, HEADER.end - HEADER.tag);
}

/** What every message begins with, whatever its version and type. */
export function messageForm(tag: Uint8Array): readonly (number | undefined)[] {
  return [MAGIC, undefined, undefined, undefined, ...tag];
}

export function writeMessage(message: Message, tag: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(lengthOf(message));
  const view = new DataView(bytes.buffer);
  bytes[HEADER.magic] = MAGIC;
  bytes[HEADER.version] = VERSION;
  bytes[HEADER.type] = TYPE[message.kind];
  bytes.set(tag, HEADER.tag);
  switch (message.kind) {
    case 'hello':
      writeHello(message, bytes, view);
      break;
    case 'description-request':
      bytes.set(fromHex(message.nodeId), REQUEST.nodeId);
      view.setBigUint64(REQUEST.nonce, message.nonce);
      view.setUint16(REQUEST.offset, message.offset);
      break;
    case 'description-part':
      writePart(message, bytes, view);
      break;
    case 'probe':
      view.setBigUint64(PROBE.nonce, message.nonce);
      bytes[PROBE.flags] = probeFlags(message);
      break;
    case 'probe-reply':
      view.setBigUint64(PROBE.nonce, message.nonce);
      bytes[PROBE.flags] = WISHES.indexOf(message.wish) | (message.isNeighbour ? IS_NEIGHBOUR : 0);
      writeEndpoint(message.seenAt, bytes, REPLY.seenAt);
      break;
    case 'announce':
      writeNews(message, bytes, view, HEADER.end);
      break;
    case 'summary':
      bytes[SUMMARY.flags] = message.pleaseAnswer ? PLEASE_ANSWER : 0;
      message.entries.forEach((entry, i) => writeNews(entry, bytes, view, SUMMARY.entries + i * NEWS_BYTES));
      break;
    case 'digest':
      bytes.set(message.digest, DIGEST.digest);
      break;
    case 'babel':
      bytes.set(message.packet, BABEL.packet);
      break;
    case 'call':
      bytes[CALL.flags] = message.pleaseAnswer ? PLEASE_ANSWER : 0;
      message.candidates.forEach((candidate, i) => writeEndpoint(candidate, bytes, candidateAt(i)));
      break;
    case 'echo-request':
    case 'echo-reply':
    case 'seqno-statements':
    case 'seqno-question':
    case 'path-complaint':
      writeRoutingMessage(message, bytes.subarray(HEADER.end));
      break;
    case 'fragment':
      writeFragment(message, bytes.subarray(HEADER.end));
      break;
    case 'leave':
  }
  return bytes;
}

/** Reads a message of the mesh that `tag` stands for. Authenticates nothing; keeps `datagram`. */
export function readMessage(datagram: Uint8Array, tag: Uint8Array): Message | MessageDrop {
  if (datagram.length < HEADER.end || datagram[HEADER.magic] !== MAGIC) return 'message-malformed';
  if (datagram[HEADER.version] !== VERSION) return 'message-unknown-version';
  if (tag.some((byte, i) => datagram[HEADER.tag + i] !== byte)) return 'foreign-mesh';
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  const routing = ROUTING_KINDS.find((kind) => TYPE[kind] === datagram[HEADER.type]);
  if (routing !== undefined) return readRoutingMessage(routing, datagram.subarray(HEADER.end)) ?? 'message-malformed';
  switch (datagram[HEADER.type]) {
    case TYPE.hello:
      return readHello(view) ?? 'message-malformed';
    case TYPE['description-request']:
      return readRequest(view) ?? 'message-malformed';
    case TYPE['description-part']:
      return readPart(view) ?? 'message-malformed';
    case TYPE.probe:
      return readProbe(view) ?? 'message-malformed';
    case TYPE['probe-reply']:
      return readProbeReply(view) ?? 'message-malformed';
    case TYPE.announce:
      return readAnnounce(view) ?? 'message-malformed';
    case TYPE.summary:
      return readSummary(view) ?? 'message-malformed';
    case TYPE.digest:
      return datagram.length < DIGEST.end
        ? 'message-malformed'
        : { kind: 'digest', digest: datagram.subarray(DIGEST.digest, DIGEST.end) };
    case TYPE.babel:
      return datagram.length <= BABEL.packet || datagram.length > MAX_MESSAGE_BYTES
        ? 'message-malformed'
        : { kind: 'babel', packet: datagram.subarray(BABEL.packet) };
    case TYPE.call:
      return readCall(view) ?? 'message-malformed';
    case TYPE.fragment:
      return readFragment(datagram.subarray(HEADER.end)) ?? 'message-malformed';
    case TYPE.leave:
      return { kind: 'leave' };
    default:
      return 'message-unknown-type';
  }
}

function lengthOf(message: Message): number {
  switch (message.kind) {
    case 'hello':
      return HELLO.end;
    case 'description-request':
      return message.length;
    case 'description-part':
      return PART.bytes + message.bytes.length;
    case 'probe':
      return PROBE.end;
    case 'probe-reply':
      return REPLY.end;
    case 'announce':
      return HEADER.end + NEWS_BYTES;
    case 'summary':
      return SUMMARY.entries + message.entries.length * NEWS_BYTES;
    case 'digest':
      return DIGEST.end;
    case 'babel':
      return BABEL.packet + message.packet.length;
    case 'call':
      // Padded: what it has the receiver send is to cost its sender more.
      return MAX_MESSAGE_BYTES;
    case 'echo-request':
    case 'echo-reply':
    case 'seqno-statements':
    case 'seqno-question':
    case 'path-complaint':
      return HEADER.end + lengthOfRoutingMessage(message);
    case 'fragment':
      return HEADER.end + lengthOfFragment(message);
    case 'leave':
      return HEADER.end;
  }
}

function writeHello(hello: Hello, bytes: Uint8Array, view: DataView): void {
  bytes.set(fromHex(hello.nodeId), HELLO.nodeId);
  view.setBigUint64(HELLO.sequence, BigInt(hello.sequence));
  view.setBigUint64(HELLO.knownSequence, BigInt(hello.knownSequence));
  view.setBigUint64(HELLO.challenge, hello.challenge);
  view.setBigUint64(HELLO.echo, hello.echo);
  bytes[HELLO.flags] = hello.pleaseAnswer ? PLEASE_ANSWER : 0;
  writeEndpoint(hello.target, bytes, HELLO.target);
  bytes.set(hello.signature, HELLO.signature);
}

/** What the signature of a Hello covers, behind a label; `datagram` is the whole message. */
export function signedPartOfHello(datagram: Uint8Array): Uint8Array {
  const part = datagram.subarray(0, HELLO.signature);
  const message = new Uint8Array(HELLO_LABEL.length + part.length);
  message.set(HELLO_LABEL);
  message.set(part, HELLO_LABEL.length);
  return message;
}

function readHello(view: DataView): Hello | undefined {
  if (view.byteLength < HELLO.end) return undefined;
  const sequence = readSequence(view, HELLO.sequence);
  const knownSequence = readSequence(view, HELLO.knownSequence);
  if (sequence === undefined || knownSequence === undefined) return undefined;
  return {
    kind: 'hello',
    nodeId: readNodeId(view, HELLO.nodeId),
    sequence,
    knownSequence,
    challenge: view.getBigUint64(HELLO.challenge),
    echo: view.getBigUint64(HELLO.echo),
    pleaseAnswer: (view.getUint8(HELLO.flags) & PLEASE_ANSWER) !== 0,
    target: readEndpoint(view, HELLO.target),
    signature: new Uint8Array(view.buffer, view.byteOffset + HELLO.signature, HELLO.end - HELLO.signature).slice(),
  };
}

function readRequest(view: DataView): DescriptionRequest | undefined {
  if (view.byteLength < SHORT_REQUEST_BYTES) return undefined;
  return {
    kind: 'description-request',
    nodeId: readNodeId(view, REQUEST.nodeId),
    nonce: view.getBigUint64(REQUEST.nonce),
    offset: view.getUint16(REQUEST.offset),
    length: Math.min(view.byteLength, MAX_MESSAGE_BYTES),
  };
}

function writePart(part: DescriptionPart, bytes: Uint8Array, view: DataView): void {
  bytes.set(fromHex(part.nodeId), PART.nodeId);
  view.setBigUint64(PART.nonce, part.nonce);
  view.setBigUint64(PART.sequence, BigInt(part.sequence));
  view.setUint16(PART.total, part.total);
  view.setUint16(PART.offset, part.offset);
  bytes.set(part.bytes, PART.bytes);
}

function readPart(view: DataView): DescriptionPart | undefined {
  if (view.byteLength <= PART.bytes || view.byteLength > MAX_MESSAGE_BYTES) return undefined;
  const sequence = readSequence(view, PART.sequence);
  const total = view.getUint16(PART.total);
  const offset = view.getUint16(PART.offset);
  const bytes = new Uint8Array(view.buffer, view.byteOffset + PART.bytes, view.byteLength - PART.bytes);
  if (sequence === undefined || total > MAX_DESCRIPTION_BYTES || offset + bytes.length > total) return undefined;
  const nonce = view.getBigUint64(PART.nonce);
  return { kind: 'description-part', nodeId: readNodeId(view, PART.nodeId), nonce, sequence, total, offset, bytes };
}

function probeFlags({ wish, isInterested, isConfirmed }: Probe): number {
  return WISHES.indexOf(wish) | (isInterested ? IS_INTERESTED : 0) | (isConfirmed ? IS_CONFIRMED : 0);
}

function readProbe(view: DataView): Probe | undefined {
  if (view.byteLength < PROBE.end) return undefined;
  const flags = view.getUint8(PROBE.flags);
  const wish = WISHES.at(flags & WISH);
  if (wish === undefined) return undefined;
  const isInterested = (flags & IS_INTERESTED) !== 0;
  const isConfirmed = (flags & IS_CONFIRMED) !== 0;
  return { kind: 'probe', nonce: view.getBigUint64(PROBE.nonce), wish, isInterested, isConfirmed };
}

function readProbeReply(view: DataView): ProbeReply | undefined {
  if (view.byteLength < REPLY.end) return undefined;
  const flags = view.getUint8(PROBE.flags);
  const wish = WISHES.at(flags & WISH);
  if (wish === undefined) return undefined;
  const isNeighbour = (flags & IS_NEIGHBOUR) !== 0;
  const seenAt = readEndpoint(view, REPLY.seenAt);
  return { kind: 'probe-reply', nonce: view.getBigUint64(PROBE.nonce), wish, isNeighbour, seenAt };
}

function candidateAt(index: number): number {
  return CALL.candidates + index * ENDPOINT_BYTES;
}

function readCall(view: DataView): Call | undefined {
  if (view.byteLength < CALL.candidates) return undefined;
  const candidates: Endpoint[] = [];
  for (let i = 0; i < MAX_CALL_CANDIDATES && candidateAt(i + 1) <= view.byteLength; i++) {
    const candidate = readEndpoint(view, candidateAt(i));
    if (candidate !== undefined) candidates.push(candidate);
  }
  return { kind: 'call', pleaseAnswer: (view.getUint8(CALL.flags) & PLEASE_ANSWER) !== 0, candidates };
}

function readAnnounce(view: DataView): Announce | undefined {
  const news = readNews(view, HEADER.end);
  return news === undefined ? undefined : { kind: 'announce', ...news };
}

function readSummary(view: DataView): Summary | undefined {
  if (view.byteLength < SUMMARY.entries || view.byteLength > MAX_MESSAGE_BYTES) return undefined;
  const pleaseAnswer = (view.getUint8(SUMMARY.flags) & PLEASE_ANSWER) !== 0;
  const entries: News[] = [];
  for (let offset: number = SUMMARY.entries; offset + NEWS_BYTES <= view.byteLength; offset += NEWS_BYTES) {
    const news = readNews(view, offset);
    if (news === undefined) return undefined;
    entries.push(news);
  }
  return { kind: 'summary', pleaseAnswer, entries };
}
