/**
 * The cross-platform UAPI of WireGuard as text: `get=1` and `set=1`
 * (https://www.wireguard.com/xplatform/#configuration-protocol). Keys keep the spelling of that page here, and have
 * ours everywhere else.
 */
import { WiremeshError } from '../error.ts';
import {
  addressFromBytes,
  endpointOf,
  formatEndpoint,
  formatPrefix,
  parseAddress,
  parsePrefix,
  type Endpoint,
} from '../inet/index.ts';
import type { AllowedIpChange, DeviceChange, DeviceState, PeerChange, PeerState } from '../wireguard/index.ts';

/** A line that is none of the protocol's. It is not repeated: its value may be a secret. */
export class UapiSyntaxError extends WiremeshError {
  readonly code = 'UAPI_SYNTAX';
  /** As other implementations answer: EPROTO to a line without `=`. */
  readonly errno: 'EINVAL' | 'EPROTO';
  constructor(errno: 'EINVAL' | 'EPROTO' = 'EINVAL') {
    super('a line of the configuration protocol has an unknown key or a value that is not valid');
    this.errno = errno;
  }
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };
type PeerDraft = Writable<Omit<PeerChange, 'allowedIps'>> & { allowedIps: AllowedIpChange[] };

/** Interface index of a name, for the zone of a link-local endpoint; `undefined` if there is none. */
export type ResolveZone = (name: string) => number | undefined;

/** What reading a value may need. */
interface Context {
  readonly resolveZone: ResolveZone;
  readonly memory: SharedMemory;
}

const DEVICE_KEYS: Record<string, (change: Writable<DeviceChange>, value: string, context: Context) => void> = {
  private_key: (change, value, { memory }) => (change.privateKey = readKey(value, memory)),
  listen_port: (change, value) => (change.listenPort = readNumber(value, 65_535)),
  fwmark: (change, value) => (change.fwmark = readNumber(value, 0xffff_ffff)),
  replace_peers: (change, value) => (change.replacePeers = readTrue(value)),
};

const PEER_KEYS: Record<string, (peer: PeerDraft, value: string, context: Context) => void> = {
  remove: (peer, value) => (peer.remove = readTrue(value)),
  update_only: (peer, value) => (peer.updateOnly = readTrue(value)),
  preshared_key: (peer, value, { memory }) => (peer.presharedKey = readKey(value, memory)),
  endpoint: (peer, value, { resolveZone }) => (peer.endpoint = required(readEndpoint(value, resolveZone))),
  persistent_keepalive_interval: (peer, value) => (peer.persistentKeepalive = readNumber(value, 65_535)),
  replace_allowed_ips: (peer, value) => {
    peer.replaceAllowedIps = readTrue(value);
    // Lines take effect in their order: what the same peer was given before this one goes as well.
    peer.allowedIps = [];
  },
  allowed_ip: (peer, value, { memory }) => {
    const remove = value.startsWith('-');
    const { address, length } = required(value.includes('/') ? parsePrefix(value.slice(remove ? 1 : 0)) : undefined);
    const prefix = { address: addressFromBytes(memory.copyOf(address.bytes)), length };
    peer.allowedIps.push(remove ? { prefix, remove } : { prefix });
  },
  protocol_version: (_peer, value) => required(value === '1' ? value : undefined),
};

/** Reads the lines of one `set` operation, line by line. */
export class SetOperation {
  readonly #change: Writable<DeviceChange> = {};
  readonly #peers: PeerDraft[] = [];
  readonly #context: Context;

  constructor(resolveZone: ResolveZone) {
    this.#context = { resolveZone, memory: new SharedMemory() };
  }

  /** @throws UapiSyntaxError */
  handleLine(line: string): void {
    const equals = line.indexOf('=');
    if (equals < 0) throw new UapiSyntaxError('EPROTO');
    const key = line.slice(0, equals);
    const value = line.slice(equals + 1);
    const peer = this.#peers.at(-1);
    if (key === 'public_key') this.#peers.push({ publicKey: readKey(value, this.#context.memory), allowedIps: [] });
    // What belongs to the device stands before the first peer.
    else if (peer === undefined) lookUp(DEVICE_KEYS, key)(this.#change, value, this.#context);
    else lookUp(PEER_KEYS, key)(peer, value, this.#context);
  }

  change(): DeviceChange {
    return this.#peers.length === 0 ? this.#change : { ...this.#change, peers: this.#peers };
  }
}

/** The answer to `get=1`, less its `errno`. It holds the private key. */
export function formatState(state: DeviceState): string {
  const lines: string[] = [];
  if (state.privateKey !== undefined) lines.push(`private_key=${hex(state.privateKey)}`);
  if (state.listenPort !== 0) lines.push(`listen_port=${state.listenPort}`);
  if (state.fwmark !== 0) lines.push(`fwmark=${state.fwmark}`);
  for (const peer of state.peers) pushPeer(lines, peer);
  return lines.map((line) => `${line}\n`).join('');
}

function pushPeer(lines: string[], peer: PeerState): void {
  const handshakeAt = peer.lastHandshakeAt ?? 0;
  lines.push(`public_key=${hex(peer.publicKey)}`);
  lines.push(`preshared_key=${hex(peer.presharedKey ?? new Uint8Array(32))}`);
  lines.push('protocol_version=1');
  if (peer.endpoint !== undefined) lines.push(`endpoint=${formatEndpoint(peer.endpoint)}`);
  lines.push(`last_handshake_time_sec=${Math.floor(handshakeAt / 1000)}`);
  lines.push(`last_handshake_time_nsec=${Math.floor((handshakeAt % 1000) * 1e6)}`);
  lines.push(`tx_bytes=${peer.txBytes}`);
  lines.push(`rx_bytes=${peer.rxBytes}`);
  lines.push(`persistent_keepalive_interval=${peer.persistentKeepalive}`);
  for (const prefix of peer.allowedIps) lines.push(`allowed_ip=${formatPrefix(prefix)}`);
}

function required<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new UapiSyntaxError();
  return value;
}

function lookUp<T>(table: Record<string, T>, key: string): T {
  return required(Object.hasOwn(table, key) ? table[key] : undefined);
}

function readKey(text: string, memory: SharedMemory): Uint8Array {
  const hex = required(/^[0-9a-fA-F]{64}$/.exec(text))[0];
  const key = memory.allocate(32);
  // A Buffer with memory of its own would take it from a pool, where the key stays.
  Buffer.from(key.buffer, key.byteOffset, key.length).write(hex, 'hex');
  return key;
}

/**
 * Memory for the small arrays of one operation. Each with an ArrayBuffer of its own would take a few hundred bytes, and
 * as many again when it is cloned into the device thread: much, with thousands of peers.
 */
class SharedMemory {
  static readonly #CHUNK = 4096;
  #chunk = new Uint8Array(0);
  #used = 0;

  allocate(length: number): Uint8Array {
    if (this.#used + length > this.#chunk.length) {
      this.#chunk = new Uint8Array(SharedMemory.#CHUNK);
      this.#used = 0;
    }
    this.#used += length;
    return this.#chunk.subarray(this.#used - length, this.#used);
  }

  copyOf(bytes: Uint8Array): Uint8Array {
    const copy = this.allocate(bytes.length);
    copy.set(bytes);
    return copy;
  }
}

function readNumber(text: string, max: number): number {
  const value = Number(required(/^\d+$/.exec(text))[0]);
  return required(value <= max ? value : undefined);
}

/** The flags of this protocol know no other value. */
function readTrue(text: string): true {
  return required(text === 'true' ? true : undefined);
}

/** `192.0.2.1:51820`, `[2001:db8::1]:51820` or `[fe80::1%ZONE]:51820`, the zone as a name or a number. */
function readEndpoint(text: string, resolveZone: ResolveZone): Endpoint | undefined {
  const match = /^(?:\[([^\]%]*:[^\]%]*)(?:%([^\]]+))?\]|([^:]+)):(\d+)$/.exec(text);
  if (match === null) return undefined;
  const [, ipv6, zone, ipv4, digits] = match;
  const address = parseAddress(ipv6 ?? ipv4);
  const scopeId = zone === undefined ? 0 : readZone(zone, resolveZone);
  const port = Number(digits);
  if (address === undefined || scopeId === undefined || port > 0xffff) return undefined;
  return endpointOf(address, port, scopeId);
}

function readZone(zone: string, resolveZone: ResolveZone): number | undefined {
  if (!/^\d+$/.test(zone)) return resolveZone(zone);
  return Number(zone) <= 0xffff_ffff ? Number(zone) : undefined;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}
