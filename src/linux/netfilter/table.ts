/**
 * Tables of nf_tables and the messages that put them in place of older ones, or take one away, in one transaction
 * (nfnetlink; linux/netfilter/nfnetlink.h and nf_tables.h): there is no moment without them.
 */
import { concatenate, encodeAttributes, type Attribute } from './attributes.ts';
import { verdict, type Expression, type Verdict } from './expressions.ts';

export interface NftRule {
  readonly when: readonly Expression[];
  readonly then: Verdict;
}

/** Where packets come by a chain; the lower the priority, the earlier. */
export interface NftHook {
  readonly at: 'prerouting' | 'postrouting';
  readonly priority: number;
}

export interface NftChain {
  readonly name: string;
  /** A chain without one is reached by `goto`. */
  readonly hook?: NftHook;
  readonly rules: readonly NftRule[];
}

export interface NftTable {
  readonly family: 4 | 6;
  readonly name: string;
  /** It belongs to the socket that puts it up: no other can change or flush it, and it goes with the socket. */
  readonly isOwned?: boolean;
  /** A chain stands before those that go to it. */
  readonly chains: readonly NftChain[];
}

const SUBSYSTEM = 10;
const BATCH_BEGIN = 16;
const BATCH_END = 17;
export const MESSAGE = {
  newTable: 0,
  getTable: 1,
  deleteTable: 2,
  newChain: 3,
  newRule: 6,
  newGeneration: 15,
} as const;
/** NFPROTO_IPV4 and NFPROTO_IPV6: nft(8) calls these families `ip` and `ip6`. */
const NFPROTO = { 4: 2, 6: 10 } as const;
const NLM_F_REQUEST = 0x1;
const NLM_F_ACK = 0x4;
const NLM_F_CREATE = 0x400;
const NLM_F_APPEND = 0x800;
const HOOK = { prerouting: 0, postrouting: 4 } as const;
const NFTA_TABLE_NAME = 1;
const NFTA_TABLE_FLAGS = 2;
const NFT_TABLE_F_OWNER = 2;
const NFTA_CHAIN = { table: 1, name: 3, hook: 4, policy: 5, type: 7 } as const;
const NFTA_HOOK = { number: 1, priority: 2 } as const;
const NFTA_RULE = { table: 1, chain: 2, expressions: 4 } as const;
const NF_ACCEPT = 1;

/** `struct nlmsghdr` and `struct nfgenmsg` behind it, in bytes. */
export const HEADER = { length: 0, type: 4, flags: 6, sequence: 8, portId: 12, family: 16, resource: 18, end: 20 };

/** Whether a message is one of nf_tables, and which. */
export function messageOf(type: number): number | undefined {
  return type >> 8 === SUBSYSTEM ? type & 0xff : undefined;
}

/** The transaction that puts `tables` in the place of whatever has their names. */
export function replaceTables(tables: readonly NftTable[]): Uint8Array {
  return batch(tables.flatMap((table) => [...replacement(table), ...creation(table)]));
}

/** The transaction that takes a table away. It fails with ENOENT where there is none. */
export function deleteTable({ family, name }: Pick<NftTable, 'family' | 'name'>): Uint8Array {
  return batch([message(MESSAGE.deleteTable, family, NLM_F_ACK, [[NFTA_TABLE_NAME, name]])]);
}

/** The question for a table. It fails with ENOENT where there is none. */
export function getTable({ family, name }: Pick<NftTable, 'family' | 'name'>): Uint8Array {
  return message(MESSAGE.getTable, family, 0, [[NFTA_TABLE_NAME, name]]);
}

/** What does not exist cannot be deleted, and what exists can be made once more. */
function replacement({ family, name }: NftTable): Uint8Array[] {
  return [
    message(MESSAGE.newTable, family, NLM_F_CREATE, [[NFTA_TABLE_NAME, name]]),
    message(MESSAGE.deleteTable, family, NLM_F_ACK, [[NFTA_TABLE_NAME, name]]),
  ];
}

function creation(table: NftTable): Uint8Array[] {
  const flags: Attribute[] = table.isOwned ? [[NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER]] : [];
  return [
    message(MESSAGE.newTable, table.family, NLM_F_CREATE | NLM_F_ACK, [[NFTA_TABLE_NAME, table.name], ...flags]),
    ...table.chains.map((chain) => chainMessage(table, chain)),
    ...table.chains.flatMap((chain) => chain.rules.map((rule) => ruleMessage(table, chain.name, rule))),
  ];
}

function chainMessage({ family, name: table }: NftTable, { name, hook }: NftChain): Uint8Array {
  const attributes: Attribute[] = [
    [NFTA_CHAIN.table, table],
    [NFTA_CHAIN.name, name],
  ];
  if (hook !== undefined) {
    attributes.push(
      [
        NFTA_CHAIN.hook,
        [
          [NFTA_HOOK.number, HOOK[hook.at]],
          [NFTA_HOOK.priority, hook.priority],
        ],
      ],
      [NFTA_CHAIN.policy, NF_ACCEPT],
      [NFTA_CHAIN.type, 'filter'],
    );
  }
  return message(MESSAGE.newChain, family, NLM_F_CREATE | NLM_F_ACK, attributes);
}

function ruleMessage({ family, name: table }: NftTable, chain: string, { when, then }: NftRule): Uint8Array {
  return message(MESSAGE.newRule, family, NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK, [
    [NFTA_RULE.table, table],
    [NFTA_RULE.chain, chain],
    [NFTA_RULE.expressions, [...when, verdict(then)]],
  ]);
}

function batch(messages: readonly Uint8Array[]): Uint8Array {
  return concatenate([control(BATCH_BEGIN), ...messages, control(BATCH_END)]);
}

function control(type: number): Uint8Array {
  const bytes = new Uint8Array(HEADER.end);
  const view = header(bytes, type, NLM_F_REQUEST);
  view.setUint16(HEADER.resource, SUBSYSTEM);
  return bytes;
}

function message(kind: number, family: 4 | 6, flags: number, attributes: readonly Attribute[]): Uint8Array {
  const contents = encodeAttributes(attributes);
  const bytes = new Uint8Array(HEADER.end + contents.length);
  header(bytes, (SUBSYSTEM << 8) | kind, NLM_F_REQUEST | flags);
  bytes[HEADER.family] = NFPROTO[family];
  bytes.set(contents, HEADER.end);
  return bytes;
}

function header(bytes: Uint8Array, type: number, flags: number): DataView {
  const view = new DataView(bytes.buffer);
  view.setUint32(HEADER.length, bytes.length, true);
  view.setUint16(HEADER.type, type, true);
  view.setUint16(HEADER.flags, flags, true);
  return view;
}
