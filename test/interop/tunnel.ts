/** A WireGuard tunnel between two hosts, either end by any implementation, set up with stock `wg`. */
import { execFileSync, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { end, until, withFile, type Host } from './hosts.ts';

export const WIREGUARD_TS = fileURLToPath(new URL('../../bin/wireguard-ts.js', import.meta.url));

export type Implementation = 'wireguard-ts' | 'wireguard-go';

export interface TunnelEnd {
  readonly host: Host;
  readonly implementation: Implementation;
  readonly interfaceName: string;
  readonly privateKey: string;
  readonly publicKey: string;
  readonly child: ChildProcess;
  /** Inner addresses: 10.77.0.N and fd00:77::N. */
  readonly address4: string;
  readonly address6: string;
  /** Outer addresses and port. */
  readonly endpoint4: string;
  readonly endpoint6: string;
}

export interface EndOptions {
  readonly implementation: Implementation;
  /** The N of its addresses. */
  readonly index: number;
  readonly mtu?: number;
  /** Those of an end that was; fresh ones if left out. */
  readonly interfaceName?: string;
  readonly privateKey?: string;
  /** For the process; the timing hook is one of these. */
  readonly env?: NodeJS.ProcessEnv;
  /** A command that the process is started by. */
  readonly launcher?: readonly string[];
  /** Of wireguard-ts; as many as it takes by itself if left out. */
  readonly threads?: number | undefined;
}

export interface PeerOptions {
  readonly endpoint?: string;
  readonly allowedIps?: readonly string[];
  readonly presharedKey?: string | undefined;
  readonly persistentKeepalive?: number;
}

export interface TunnelOptions {
  readonly implementations: readonly [Implementation, Implementation];
  readonly outer?: 4 | 6;
  readonly mtu?: number;
  readonly presharedKey?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly launcher?: readonly string[];
  /** Of each end that is wireguard-ts. */
  readonly threads?: readonly [number, number];
}

const COMMANDS: Record<Implementation, readonly string[]> = {
  'wireguard-ts': [process.execPath, WIREGUARD_TS, '-f'],
  'wireguard-go': ['wireguard-go', '-f'],
};

let interfaces = 0;

/** Sockets of UAPI lie in one folder for all namespaces, so no two interfaces may share a name. */
export function nextInterfaceName(): string {
  return `wt${process.pid % 1_000_000}n${interfaces++}`;
}

/** Starts both ends and makes each the other's peer. */
export async function openTunnel(
  hosts: readonly [Host, Host],
  options: TunnelOptions,
): Promise<[TunnelEnd, TunnelEnd]> {
  const { implementations, threads, ...rest } = options;
  const ends = await Promise.all([
    startEnd(hosts[0], { ...rest, implementation: implementations[0], index: 1, threads: threads?.[0] }),
    startEnd(hosts[1], { ...rest, implementation: implementations[1], index: 2, threads: threads?.[1] }),
  ]);
  await introduce(ends, options);
  return ends;
}

/** Makes each the other's peer. */
export async function introduce(
  ends: readonly [TunnelEnd, TunnelEnd],
  options: { readonly outer?: 4 | 6; readonly presharedKey?: string | undefined } = {},
): Promise<void> {
  const { outer, presharedKey } = options;
  for (const [index, own] of ends.entries()) {
    const other = ends[1 - index];
    await setPeer(own, other, { presharedKey, endpoint: outer === 6 ? other.endpoint6 : other.endpoint4 });
  }
}

/** Ends the process of one end, as its user would. */
export async function closeEnd(tunnelEnd: TunnelEnd): Promise<void> {
  await end(tunnelEnd.child);
}

/** Ends both ends and their hosts, as far as they came to be. */
export async function tearDown(hosts: readonly Host[] = [], ends: readonly TunnelEnd[] = []): Promise<void> {
  for (const tunnelEnd of ends) await closeEnd(tunnelEnd);
  for (const host of hosts) await host.close();
}

export function generateKey(kind: 'genkey' | 'genpsk' = 'genkey'): string {
  return execFileSync('wg', [kind], { encoding: 'utf8' }).trim();
}

export function publicKeyOf(privateKey: string): string {
  return execFileSync('wg', ['pubkey'], { encoding: 'utf8', input: privateKey }).trim();
}

/** Starts one end: device, private key, port, addresses, MTU, up. Peers are for `setPeer`. */
export async function startEnd(host: Host, options: EndOptions): Promise<TunnelEnd> {
  const { implementation, index, mtu = 1420 } = options;
  const { interfaceName = nextInterfaceName(), privateKey = generateKey() } = options;
  const port = 51_820 + index;
  const own = {
    host,
    implementation,
    interfaceName,
    privateKey,
    publicKey: publicKeyOf(privateKey),
    address4: `10.77.0.${index}`,
    address6: `fd00:77::${index}`,
    endpoint4: `192.0.2.${index}:${port}`,
    endpoint6: `[2001:db8::${index}]:${port}`,
  };
  const child = await startDevice(host, interfaceName, implementation, options);
  await withFile(privateKey, (file) =>
    host.run(['wg', 'set', own.interfaceName, 'listen-port', String(port), 'private-key', file]),
  );
  await host.ip('address', 'add', `${own.address4}/24`, 'dev', own.interfaceName);
  await host.ip('address', 'add', `${own.address6}/64`, 'dev', own.interfaceName, 'nodad');
  await host.ip('link', 'set', own.interfaceName, 'mtu', String(mtu), 'up');
  return { ...own, child };
}

/** Starts an implementation in the foreground and waits until its UAPI answers. */
export async function startDevice(
  host: Host,
  interfaceName: string,
  implementation: Implementation,
  { env, launcher = [], threads }: Pick<EndOptions, 'env' | 'launcher' | 'threads'> = {},
): Promise<ChildProcess> {
  const flags = implementation === 'wireguard-ts' && threads !== undefined ? ['--threads', String(threads)] : [];
  const argv = [...launcher, ...COMMANDS[implementation], ...flags, interfaceName];
  const child = host.start(argv, { LOG_LEVEL: 'error', ...env });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await until(`${implementation} serves ${interfaceName}: ${output}`, async () => {
    if (child.exitCode !== null) throw new Error(`${implementation} ended with ${child.exitCode}: ${output}`);
    if (!existsSync(`/var/run/wireguard/${interfaceName}.sock`)) return false;
    return host.run(['wg', 'show', interfaceName]).then(
      () => true,
      () => false,
    );
  });
  return child;
}

/** Adds `other` to the peers of `own`, or changes what is given. It is allowed its inner addresses if nothing is said. */
export async function setPeer(
  { host, interfaceName }: TunnelEnd,
  other: Pick<TunnelEnd, 'publicKey' | 'address4' | 'address6'>,
  options: PeerOptions = {},
): Promise<void> {
  const { endpoint, allowedIps = [`${other.address4}/32`, `${other.address6}/128`] } = options;
  const argv = ['wg', 'set', interfaceName, 'peer', other.publicKey, 'allowed-ips', allowedIps.join(',')];
  if (endpoint !== undefined) argv.push('endpoint', endpoint);
  if (options.persistentKeepalive !== undefined) argv.push('persistent-keepalive', String(options.persistentKeepalive));
  if (options.presharedKey === undefined) await host.run(argv);
  else await withFile(options.presharedKey, (file) => host.run([...argv, 'preshared-key', file]));
}

export async function removePeer({ host, interfaceName }: TunnelEnd, publicKey: string): Promise<void> {
  await host.run(['wg', 'set', interfaceName, 'peer', publicKey, 'remove']);
}

/** What `wg show INTERFACE WHAT` says of each peer, by public key. */
export async function shown(
  { host, interfaceName }: TunnelEnd,
  what: 'endpoints' | 'latest-handshakes' | 'transfer' | 'allowed-ips',
): Promise<Map<string, string>> {
  const lines = (await host.run(['wg', 'show', interfaceName, what])).trim().split('\n');
  return new Map(lines.filter((line) => line !== '').map((line) => [line.slice(0, 44), line.slice(45)]));
}

/** Unix time in seconds of the last handshake with the first peer; 0 if there was none. */
export async function latestHandshake(own: TunnelEnd): Promise<number> {
  return Number([...(await shown(own, 'latest-handshakes')).values()][0]);
}
