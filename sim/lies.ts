/**
 * A well-formed lie of every message kind. The table is complete by its type: a message kind without a lie does not
 * compile.
 */
import { INFINITE, PacketWriter, impliedRouterId, type Tlv } from '../src/babel/index.ts';
import { addressFromBytes, prefixOf, type Endpoint, type IpAddress } from '../src/inet/index.ts';
import { millis, seconds } from '../src/machine/index.ts';
import {
  DIGEST_BYTES,
  MAX_BABEL_BYTES,
  MAX_CALL_CANDIDATES,
  MAX_PART_BYTES,
  MAX_SUMMARY_ENTRIES,
  NO_SIGNATURE,
  type Message,
  type News,
} from '../src/mesh/messages.ts';
import { MAX_STATEMENTS } from '../src/mesh/routing-messages.ts';
import type { SeqnoStatement } from '../src/mesh/seqno-statement.ts';
import type { Random } from '../test/fuzz/random.ts';

/** What a liar knows and makes up. */
export interface Knowledge {
  readonly chance: Random;
  /** Of an honest node or of one that is made up, with a sequence number that may be its own. */
  news(): News;
  /** Some node's address in the mesh. */
  meshAddress(): IpAddress;
  /** That the liar goes by in Babel. */
  ownAddress(): IpAddress;
  /** Somewhere to send others to. */
  endpoint(): Endpoint;
  /** At somebody who has nothing to do with the mesh. */
  bystander(): Endpoint;
  /** One that was seen in a message, or any. */
  nonce(): bigint;
  /** One that was seen, or that says `seqno` with a signature that is somebody else's or none. */
  statement(seqno: number): SeqnoStatement;
  /** Of a description, true or not, and whose it is. */
  description(): News & { readonly bytes: Uint8Array };
}

export type LiedKind = Message['kind'];
type Lies = { readonly [Kind in LiedKind]: (knowledge: Knowledge) => Message & { kind: Kind } };

export const LIES: Lies = {
  hello: (k) => ({
    kind: 'hello',
    ...k.news(),
    knownSequence: k.news().sequence,
    challenge: k.chance.pick([0n, k.nonce()]),
    echo: k.chance.pick([0n, k.nonce()]),
    pleaseAnswer: flip(k),
    target: flip(k) ? k.endpoint() : undefined,
    signature: flip(k) ? NO_SIGNATURE : k.chance.bytes(NO_SIGNATURE.length),
  }),
  'description-request': (k) => {
    const offset = k.chance.pick([0, 0, 0, 1140, 0xffff]);
    return { kind: 'description-request', nodeId: k.news().nodeId, nonce: k.nonce(), offset, length: 1200 };
  },
  fragment: (k) => {
    const count = 1 + k.chance.below(9);
    return { kind: 'fragment', id: k.chance.below(4), index: k.chance.below(9), count, bytes: k.chance.bytes(100) };
  },
  'description-part': (k) => {
    const { nodeId, sequence, bytes } = k.description();
    const part = { nonce: k.nonce(), total: bytes.length, offset: 0, bytes: bytes.subarray(0, MAX_PART_BYTES) };
    return { kind: 'description-part', nodeId, sequence, ...part };
  },
  probe: (k) => ({ kind: 'probe', nonce: k.nonce(), wish: wish(k), isInterested: flip(k), isConfirmed: flip(k) }),
  'probe-reply': (k) => {
    const seenAt = flip(k) ? k.endpoint() : undefined;
    return { kind: 'probe-reply', nonce: k.nonce(), wish: wish(k), isNeighbour: flip(k), seenAt };
  },
  announce: (k) => ({ kind: 'announce', ...k.news() }),
  summary: (k) => {
    const length = k.chance.below(MAX_SUMMARY_ENTRIES + 1);
    return { kind: 'summary', pleaseAnswer: flip(k), entries: Array.from({ length }, () => k.news()) };
  },
  leave: () => ({ kind: 'leave' }),
  digest: (k) => ({ kind: 'digest', digest: k.chance.bytes(DIGEST_BYTES) }),
  babel: (k) => ({ kind: 'babel', packet: babelPacket(k) }),
  call: (k) => {
    const length = k.chance.below(MAX_CALL_CANDIDATES + 1);
    const candidate = flip(k) ? () => k.endpoint() : () => k.bystander();
    return { kind: 'call', pleaseAnswer: flip(k), candidates: Array.from({ length }, candidate) };
  },
  'echo-request': (k) => ({ kind: 'echo-request', nonce: k.nonce() }),
  'echo-reply': (k) => ({ kind: 'echo-reply', nonce: k.nonce() }),
  'seqno-statements': (k) => {
    const length = 1 + k.chance.below(MAX_STATEMENTS);
    return { kind: 'seqno-statements', statements: Array.from({ length }, () => k.statement(seqno(k))) };
  },
  'seqno-question': (k) => ({ kind: 'seqno-question', nodeId: k.news().nodeId }),
  'path-complaint': (k) => ({ kind: 'path-complaint', nodeId: k.news().nodeId }),
};

type TlvLies = { readonly [Kind in Tlv['kind']]: (knowledge: Knowledge) => Tlv & { kind: Kind } };

/** The same for what a Babel packet says. */
const TLV_LIES: TlvLies = {
  'acknowledgment-request': (k) => ({ kind: 'acknowledgment-request', opaque: uint16(k), interval: millis(100) }),
  acknowledgment: (k) => ({ kind: 'acknowledgment', opaque: uint16(k) }),
  hello: (k) => ({ kind: 'hello', isUnicast: true, seqno: uint16(k), interval: interval(k) }),
  ihu: (k) => {
    const rxcost = k.chance.pick([1, 96, INFINITE]);
    return { kind: 'ihu', address: undefined, rxcost, interval: interval(k) };
  },
  update: (k) => {
    const prefix = prefixOf(k.meshAddress(), 128);
    const routerId = impliedRouterId(prefix.address) ?? '0000000000000001';
    const metric = k.chance.pick([0, 1, 96, 1000, INFINITE - 1]);
    const nextHop = linkLocalOf(k.ownAddress());
    return { kind: 'update', prefix, routerId, nextHop, seqno: seqno(k), metric, interval: interval(k) };
  },
  retraction: (k) => ({ kind: 'retraction', prefix: flip(k) ? prefixOf(k.meshAddress(), 128) : undefined }),
  'route-request': (k) => ({ kind: 'route-request', prefix: flip(k) ? prefixOf(k.meshAddress(), 128) : undefined }),
  'seqno-request': (k) => {
    const prefix = prefixOf(k.meshAddress(), 128);
    const routerId = impliedRouterId(prefix.address) ?? '0000000000000001';
    return { kind: 'seqno-request', prefix, routerId, seqno: seqno(k), hopCount: 1 + k.chance.below(255) };
  },
};

/** Mostly updates, which are what routes are made of. */
function babelPacket(k: Knowledge): Uint8Array {
  const writer = new PacketWriter(linkLocalOf(k.ownAddress()), MAX_BABEL_BYTES);
  const kinds = Object.keys(TLV_LIES) as Tlv['kind'][];
  for (let left = 1 + k.chance.below(12); left > 0; left--) {
    writer.add(TLV_LIES[flip(k) ? 'update' : k.chance.pick(kinds)](k));
  }
  return writer.finish();
}

/** Near that of the node, which is made of its time of start, or far ahead, or anything. */
function seqno(k: Knowledge): number {
  const around = Math.floor(1_800_000_000 + k.chance.below(200)) & 0xffff;
  return k.chance.pick([around, (around + 20_000) & 0xffff, (around + 0x7fff) & 0xffff, uint16(k)]);
}

function linkLocalOf({ bytes }: IpAddress): IpAddress {
  return addressFromBytes(Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, ...bytes.subarray(8)));
}

function interval({ chance }: Knowledge) {
  return chance.pick([millis(10), seconds(1), seconds(90), seconds(600)]);
}

function uint16({ chance }: Knowledge): number {
  return chance.below(0x10000);
}

function flip({ chance }: Knowledge): boolean {
  return chance.below(2) === 0;
}

function wish({ chance }: Knowledge) {
  return chance.pick(['no', 'likes', 'needs'] as const);
}
