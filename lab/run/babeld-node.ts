/**
 * A node of kind `wireguard-go+babeld`: a tunnel of wireguard-go along each link to another node of the kind, with fixed
 * keys and endpoints, and babeld on the tunnels, as somebody would set it up by hand with Debian's packages. What to run,
 * as text; runs nothing.
 */
import { randomBytes } from 'node:crypto';
import { nodeX25519 } from '../../src/crypto/x25519.ts';
import type { Scenario, ScenarioNode } from '../scenario/scenario.ts';
import { linkLocalAddress, overlayAddresses } from './wiring.ts';

/** IPv6 and UDP headers, and what WireGuard adds. */
const TUNNEL_OVERHEAD = 80;
const FIRST_PORT = 51820;
/** The flag in /proc/net/unix (proc(5)); wg(8) takes a socket away that is there and does not listen yet. */
const LISTENING = '00010000';

export interface TunnelKeys {
  /** Base64, as wg(8) has them. */
  readonly privateKey: string;
  readonly publicKey: string;
}

/** Not by `generateKeyPairSync`: in Node 20, exporting its key waits for itself when a garbage collection falls into it. */
export function newTunnelKeys(): TunnelKeys {
  const privateKey = randomBytes(32);
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
  return { privateKey: base64(privateKey), publicKey: base64(nodeX25519.publicKey(privateKey)) };
}

/** One end of a tunnel along a link. */
interface Tunnel {
  readonly interface: string;
  readonly other: ScenarioNode;
  /** The interface of the link. */
  readonly along: string;
  readonly port: number;
  readonly mtu: number;
}

/** The tunnels of `node`. Both ends of one have the same port, of its own number in the scenario. */
export function tunnelsOf({ nodes, links }: Scenario, node: ScenarioNode): Tunnel[] {
  const byName = new Map(nodes.map((candidate) => [candidate.name, candidate]));
  const pairs = links.flatMap(({ ends, mtu }) =>
    ends.flatMap((a, i) => ends.slice(i + 1).map((b) => ({ a, b, mtu: mtu - TUNNEL_OVERHEAD }))),
  );
  const tunnels: Tunnel[] = [];
  for (const [i, { a, b, mtu }] of pairs.entries()) {
    const [own, far] = b.node === node.name ? [b, a] : [a, b];
    const other = byName.get(far.node) as ScenarioNode;
    if (own.node !== node.name || other.kind !== 'wireguard-go+babeld') continue;
    const port = FIRST_PORT + i;
    const isTaken = tunnels.some((tunnel) => tunnel.other === other);
    tunnels.push({ interface: isTaken ? `wg-${port}` : `wg-${other.name}`, other, along: own.interface, port, mtu });
  }
  return tunnels;
}

/** For `wg setconf`. */
export function tunnelConfiguration(tunnel: Tunnel, own: TunnelKeys, far: TunnelKeys): string {
  return [
    '[Interface]',
    `PrivateKey = ${own.privateKey}`,
    `ListenPort = ${tunnel.port}`,
    '[Peer]',
    `PublicKey = ${far.publicKey}`,
    'AllowedIPs = 0.0.0.0/0, ::/0',
    `Endpoint = [${linkLocalAddress(tunnel.other)}%${tunnel.along}]:${tunnel.port}`,
    '',
  ].join('\n');
}

export function babeldConfiguration({ babeld }: Scenario, node: ScenarioNode, tunnels: readonly Tunnel[]): string {
  const hello = babeld.hello === undefined ? '' : ` hello-interval ${babeld.hello / 1000}`;
  const update = babeld.update === undefined ? '' : ` update-interval ${babeld.update / 1000}`;
  return [
    ...(babeld.smoothing === undefined ? [] : [`smoothing-half-life ${babeld.smoothing / 1000}`]),
    ...tunnels.map((tunnel) => `interface ${tunnel.interface} type tunnel${hello}${update}`),
    ...overlayAddresses(node).map((address) => `redistribute local ip ${address} allow`),
    // A higher preference is a lower metric.
    ...node.network.map(
      ({ prefix, preference = 100 }) =>
        `redistribute ip ${prefix} eq ${prefix.split('/')[1]} metric ${1000 - preference}`,
    ),
    'redistribute local deny',
    'redistribute deny',
    '',
  ].join('\n');
}

/**
 * A script for sh that makes the tunnels and becomes babeld. wireguard-go's sockets lie in one place of the file system for
 * all namespaces; each node gets that place for itself (`ip netns exec` has given it its own view of mounts).
 */
export function nodeScript(node: ScenarioNode, tunnels: readonly Tunnel[], directory: string): string {
  return [
    'set -e',
    'mkdir -p /var/run/wireguard',
    'mount -t tmpfs tmpfs /var/run/wireguard',
    ...tunnels.map(({ interface: name }, i) => `wireguard-go -f ${name} & pid${i}=$!`),
    ...tunnels.flatMap(({ interface: name, mtu }, i) => [
      // One that has ended will never listen; why is in the log.
      `until grep -q '${LISTENING} .*/wireguard/${name}[.]sock$' /proc/net/unix; do kill -0 $pid${i}; sleep 0.02; done`,
      `wg setconf ${name} ${directory}/${name}.conf`,
      `ip link set dev ${name} addrgenmode none mtu ${mtu}`,
      `ip link set dev ${name} up`,
      `ip address add ${linkLocalAddress(node)}/64 dev ${name} nodad`,
    ]),
    `exec babeld -I ${directory}/babeld.pid -S ${directory}/babeld.state -c ${directory}/babeld.conf`,
    '',
  ].join('\n');
}
