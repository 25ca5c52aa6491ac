/**
 * The cross-platform UAPI of WireGuard as text: `get=1` and `set=1`
 * (https://www.wireguard.com/xplatform/#configuration-protocol). Keys keep the spelling of that page here, and have
 * ours everywhere else.
 */
import { WiremeshError } from '../error.ts';
import {
  endpointOf,
  formatEndpoint,
  formatPrefix,
  parseAddress,
  parseEndpoint,
  parsePrefix,
  type Endpoint,
} from '../inet/index.ts';
import type { AllowedIpChange, DeviceChange, DeviceState, PeerChange, PeerState } from '../wireguard/index.ts';

/** A line of a `set` operation that is none. */
export class UapiSyntaxError extends WiremeshError {
  readonly code = 'UAPI_SYNTAX';
  /** `key` is ours to repeat; a value may be a secret and is not. */
  constructor(key: string) {
    super(`the value of "${key}" is not valid, or the key is not known at this place`);
  }
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };
type PeerDraft = Writable<Omit<PeerChange, 'allowedIps'>> & { allowedIps: AllowedIpChange[] };

/** Interface index of a name, for the zone of a link-local endpoint; `undefined` if there is none. */
export type ResolveZone = (name: string) => number | undefined;

const DEVICE_KEYS: Record<string, (change: Writable<DeviceChange>, value: string) => boolean> = {
  private_key: (change, value) => (change.privateKey = readKey(value)) !== undefined,
  listen_port: (change, value) => (change.listenPort = readNumber(value, 65_535)) !== undefined,
  fwmark: (change, value) => (change.fwmark = readNumber(value, 0xffff_ffff)) !== undefined,
  replace_peers: (change, value) => (change.replacePeers = readTrue(value)) !== undefined,
};

const PEER_KEYS: Record<string, (peer: PeerDraft, value: string, zone: ResolveZone) => boolean> = {
  remove: (peer, value) => (peer.remove = readTrue(value)) !== undefined,
  update_only: (peer, value) => (peer.updateOnly = readTrue(value)) !== undefined,
  preshared_key: (peer, value) => (peer.presharedKey = readKey(value)) !== undefined,
  endpoint: (peer, value, zone) => (peer.endpoint = readEndpoint(value, zone)) !== undefined,
  persistent_keepalive_interval: (peer, value) => (peer.persistentKeepalive = readNumber(value, 65_535)) !== undefined,
  replace_allowed_ips: (peer, value) => (peer.replaceAllowedIps = readTrue(value)) !== undefined,
  allowed_ip: (peer, value) => {
    const remove = value.startsWith('-');
    const prefix = parsePrefix(value.slice(remove || value.startsWith('+') ? 1 : 0));
    if (prefix !== undefined) peer.allowedIps.push(remove ? { prefix, remove } : { prefix });
    return prefix !== undefined;
  },
  protocol_version: (_peer, value) => value === '1',
};

/** Reads the lines of one `set` operation, line by line. */
export class SetOperation {
  readonly #change: Writable<DeviceChange> = {};
  readonly #peers: PeerDraft[] = [];
  readonly #resolveZone: ResolveZone;

  constructor(resolveZone: ResolveZone) {
    this.#resolveZone = resolveZone;
  }

  /** @throws UapiSyntaxError */
  handleLine(line: string): void {
    const equals = line.indexOf('=');
    const key = line.slice(0, Math.max(0, equals));
    const value = line.slice(equals + 1);
    if (!this.#take(key, value)) throw new UapiSyntaxError(key.slice(0, 40));
  }

  change(): DeviceChange {
    return this.#peers.length === 0 ? this.#change : { ...this.#change, peers: this.#peers };
  }

  #take(key: string, value: string): boolean {
    if (key === 'public_key') {
      const publicKey = readKey(value);
      if (publicKey === undefined) return false;
      this.#peers.push({ publicKey, allowedIps: [] });
      return true;
    }
    const peer = this.#peers.at(-1);
    // What belongs to the device stands before the first peer.
    if (peer === undefined) return Object.hasOwn(DEVICE_KEYS, key) && DEVICE_KEYS[key](this.#change, value);
    return Object.hasOwn(PEER_KEYS, key) && PEER_KEYS[key](peer, value, this.#resolveZone);
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

function readKey(text: string): Uint8Array | undefined {
  return /^[0-9a-fA-F]{64}$/.test(text) ? Uint8Array.from(Buffer.from(text, 'hex')) : undefined;
}

function readNumber(text: string, max: number): number | undefined {
  if (!/^(\d{1,10}|0x[0-9a-fA-F]{1,8})$/.test(text)) return undefined;
  const value = Number(text);
  return value <= max ? value : undefined;
}

/** The flags of this protocol know no other value. */
function readTrue(text: string): true | undefined {
  return text === 'true' ? true : undefined;
}

function readEndpoint(text: string, resolveZone: ResolveZone): Endpoint | undefined {
  const zoned = /^\[([^%\]]+)%([^\]]+)\]:(\d{1,5})$/.exec(text);
  if (zoned === null) return parseEndpoint(text);
  const address = parseAddress(zoned[1]);
  const scopeId = /^\d+$/.test(zoned[2]) ? Number(zoned[2]) : resolveZone(zoned[2]);
  const port = Number(zoned[3]);
  if (address === undefined || scopeId === undefined || port > 65_535) return undefined;
  return endpointOf(address, port, scopeId);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
