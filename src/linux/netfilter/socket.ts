import { netlinkMessages, NetlinkSocket } from '../netlink-socket.ts';
import { errnoName, SystemCallError } from '../syscall.ts';
import { deleteTable, getTable, HEADER, MESSAGE, messageOf, replaceTables, type NftTable } from './table.ts';

const NETLINK_NETFILTER = 12;
const NLMSG_ERROR = 2;
/** The bit of NFNLGRP_NFTABLES. */
const NFTABLES_GROUP = 1 << 6;
const DATAGRAM_BYTES = 256 * 1024;
const NFTA_TABLE_NAME = 1;
const NFTA_GEN_PROC_PID = 2;
const SUBJECT = 'the firewall (nf_tables)';
const ADVICE = 'the kernel needs nf_tables, and this process CAP_NET_ADMIN: try "modprobe nf_tables"';

/** Puts `tables` in the place of whatever has their names, all of them or none. @throws SystemCallError */
export function putTables(tables: readonly NftTable[]): void {
  transact(replaceTables(tables));
}

/** Takes a table away. @returns whether there was one. @throws SystemCallError */
export function removeTable(table: Pick<NftTable, 'family' | 'name'>): boolean {
  return isThere(deleteTable(table));
}

/** @throws SystemCallError */
export function hasTable(table: Pick<NftTable, 'family' | 'name'>): boolean {
  return isThere(getTable(table));
}

function isThere(request: Uint8Array): boolean {
  try {
    transact(request);
    return true;
  } catch (error) {
    if (error instanceof SystemCallError && error.errno === 'ENOENT') return false;
    throw error;
  }
}

/** The kernel has answered when the call returns. */
function transact(batch: Uint8Array): void {
  const socket = openSocket(0);
  try {
    socket.send(batch);
    socket.read(throwFirstError);
  } finally {
    socket.close();
  }
}

/**
 * Tables that belong to this process alone (Linux 5.12): whoever flushes all tables of the host ("nft flush ruleset", the
 * restart of a firewall) leaves them as they are. They go with the process, however that ends.
 */
export class OwnedTables {
  readonly #socket = openSocket(0);

  /** Puts `tables` in the place of those that it has put up before. @throws SystemCallError, of a kernel that cannot */
  put(tables: readonly NftTable[]): void {
    this.#socket.send(replaceTables(tables.map((table) => ({ ...table, isOwned: true }))));
    this.#socket.read(throwFirstError);
  }

  /** Takes them away. */
  close(): void {
    this.#socket.close();
  }
}

function throwFirstError(datagram: Uint8Array): void {
  for (const { type, contents } of netlinkMessages(datagram)) {
    if (type !== NLMSG_ERROR || contents.length < 4) continue;
    const errno = -viewOf(contents).getInt32(0, true);
    if (errno !== 0) throw new SystemCallError('sendto', errnoName(errno), SUBJECT, ADVICE);
  }
}

/** Hears of what others do to a table. */
export class TableMonitor {
  readonly #socket = openSocket(NFTABLES_GROUP);
  readonly #name: string;
  #isTouched = false;

  /** @throws SystemCallError */
  constructor(name: string) {
    this.#name = name;
  }

  get fd(): number {
    return this.#socket.fd;
  }

  /** Reads what is there. @returns whether another process than this one has changed the table, or may have */
  read(): boolean {
    let isChanged = false;
    const isComplete = this.#socket.read((datagram) => {
      for (const { type, contents } of netlinkMessages(datagram)) {
        const message = messageOf(type);
        if (message === undefined) continue;
        // The messages of one transaction come before that which says whose it was.
        if (message !== MESSAGE.newGeneration) this.#isTouched ||= nameIn(contents) === this.#name;
        else {
          isChanged ||= this.#isTouched && processIn(contents) !== process.pid;
          this.#isTouched = false;
        }
      }
    });
    return isChanged || !isComplete;
  }

  close(): void {
    this.#socket.close();
  }
}

function openSocket(groups: number): NetlinkSocket {
  const options = { protocol: NETLINK_NETFILTER, datagramBytes: DATAGRAM_BYTES, subject: SUBJECT, advice: ADVICE };
  return new NetlinkSocket({ ...options, groups });
}

/** The table that a message is about: of tables, chains, rules and sets it is the first kind of attribute. */
function nameIn(contents: Uint8Array): string | undefined {
  const value = attributeIn(contents, NFTA_TABLE_NAME);
  return value && new TextDecoder().decode(value.subarray(0, value.indexOf(0)));
}

function processIn(contents: Uint8Array): number | undefined {
  const value = attributeIn(contents, NFTA_GEN_PROC_PID);
  return value?.length === 4 ? viewOf(value).getUint32(0) : undefined;
}

function attributeIn(contents: Uint8Array, wanted: number): Uint8Array | undefined {
  const view = viewOf(contents);
  for (let at = HEADER.end - 16; at + 4 <= contents.length;) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > contents.length) return undefined;
    if ((view.getUint16(at + 2, true) & 0x3fff) === wanted) return contents.subarray(at + 4, at + length);
    at += (length + 3) & ~3;
  }
  return undefined;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
