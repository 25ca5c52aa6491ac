/** Hosts and tunnels to measure on. What is open when the program is interrupted is taken down before it ends. */
import { Host, twoHosts } from '../test/interop/hosts.ts';
import {
  openTunnel,
  tearDown,
  type Implementation,
  type TunnelEnd,
  type TunnelOptions,
} from '../test/interop/tunnel.ts';
import { ping } from '../test/interop/traffic.ts';
import type { BenchOptions, Figure, Goal } from './measure.ts';

export type Hosts = readonly [Host, Host];
export type Ends = readonly [TunnelEnd, TunnelEnd];

const openHosts = new Set<Host>();

/** Has `use` work with two hosts on one wire. */
export async function withHosts<T>(options: { mtu?: number }, use: (hosts: Hosts) => Promise<T>): Promise<T> {
  const hosts = await twoHosts(options);
  for (const host of hosts) openHosts.add(host);
  try {
    return await use(hosts);
  } finally {
    await closeHosts(hosts);
  }
}

/** Has `use` work with hosts that nothing joins. */
export async function withHostsOf<T>(
  labels: readonly string[],
  use: (hosts: readonly Host[]) => Promise<T>,
): Promise<T> {
  const hosts: Host[] = [];
  try {
    for (const label of labels) {
      hosts.push(await Host.create(label));
      openHosts.add(hosts[hosts.length - 1]);
    }
    return await use(hosts);
  } finally {
    await closeHosts(hosts);
  }
}

/** Takes down all that is open, processes first. */
export async function closeAllHosts(): Promise<void> {
  await closeHosts([...openHosts]);
}

async function closeHosts(hosts: readonly Host[]): Promise<void> {
  for (const host of hosts) if (openHosts.delete(host)) await host.close();
}

/** Has `use` work with a fresh tunnel, both ends by `implementation`, over which a handshake has been done. */
export async function withTunnel<T>(
  hosts: Hosts,
  implementation: Implementation,
  use: (ends: Ends) => Promise<T>,
  options: Omit<TunnelOptions, 'implementations'> = {},
): Promise<T> {
  const ends = await openTunnel([...hosts], { ...options, implementations: [implementation, implementation] });
  try {
    await ping(ends[0].host, ends[1].address4, { count: 1 });
    return await use(ends);
  } finally {
    await tearDown([], ends);
  }
}

const IMPLEMENTATIONS: readonly Implementation[] = ['wireguard-ts', 'wireguard-go'];

/**
 * Measures ours and wireguard-go in turn: what else the machine does then falls on both. `once` may answer
 * several values, one for each of `names`.
 */
export async function inTurn<Name extends string>(
  { rounds, onRound }: BenchOptions,
  once: (implementation: Implementation) => Promise<Record<Name, number>>,
): Promise<(name: Name, rest: { name?: string; unit: string; scale?: number; goal?: Goal; at?: number }) => Figure> {
  const measured: Record<Implementation, Record<Name, number>[]> = { 'wireguard-ts': [], 'wireguard-go': [] };
  for (let round = 1; round <= rounds; round++) {
    for (const implementation of IMPLEMENTATIONS) {
      const values = await once(implementation);
      measured[implementation].push(values);
      onRound(`round ${round}: ${implementation} ${JSON.stringify(values)}`);
    }
  }
  return (name, { scale = 1, ...rest }) => {
    const valuesOf = (implementation: Implementation) => measured[implementation].map((values) => values[name] / scale);
    const peer = { name: 'wireguard-go', values: valuesOf('wireguard-go') };
    return { name, ...rest, ours: valuesOf('wireguard-ts'), peer };
  };
}
