/** A WireGuard tunnel between two hosts, either end by any implementation, set up with stock `wg`. */
import { execFileSync, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { end, until, withFile, type Host } from './hosts.ts';

export const WIREGUARD_TS = fileURLToPath(new URL('../../bin/wireguard-ts.js', import.meta.url));

export type Implementation = 'wireguard-ts' | 'wireguard-go';

export interface TunnelEnd {
  readonly host: Host;
  readonly interfaceName: string;
  readonly publicKey: string;
  readonly child: ChildProcess;
  /** Inner addresses: 10.77.0.N and fd00:77::N. */
  readonly address4: string;
  readonly address6: string;
  /** Outer addresses and port. */
  readonly endpoint4: string;
  readonly endpoint6: string;
}

export interface TunnelOptions {
  readonly implementations: readonly [Implementation, Implementation];
  readonly outer?: 4 | 6;
  readonly mtu?: number;
  readonly presharedKey?: string;
  /** For the processes; the timing hook is one of these. */
  readonly env?: NodeJS.ProcessEnv;
}

const COMMANDS: Record<Implementation, readonly string[]> = {
  'wireguard-ts': [process.execPath, WIREGUARD_TS, '-f'],
  'wireguard-go': ['wireguard-go', '-f'],
};

/** Starts both ends and makes each the other's peer. */
export async function openTunnel(
  hosts: readonly [Host, Host],
  options: TunnelOptions,
): Promise<[TunnelEnd, TunnelEnd]> {
  const ends = await Promise.all([startEnd(hosts[0], 1, options), startEnd(hosts[1], 2, options)]);
  for (const [index, own] of ends.entries()) await addPeer(own, ends[1 - index], options);
  return ends as [TunnelEnd, TunnelEnd];
}

/** Ends the process of one end, as its user would. */
export async function closeEnd(tunnelEnd: TunnelEnd): Promise<void> {
  await end(tunnelEnd.child);
}

/** Starts one end: device, private key, port, addresses, MTU, up. Its peer is added by `openTunnel`. */
async function startEnd(host: Host, index: 1 | 2, options: TunnelOptions): Promise<TunnelEnd> {
  const interfaceName = `wt${process.pid % 1_000_000}n${index}`;
  const child = await startDevice(host, interfaceName, options.implementations[index - 1], options.env);
  const privateKey = execFileSync('wg', ['genkey'], { encoding: 'utf8' }).trim();
  const publicKey = execFileSync('wg', ['pubkey'], { encoding: 'utf8', input: privateKey }).trim();
  const port = 51_820 + index;
  await withFile(privateKey, (file) =>
    host.run(['wg', 'set', interfaceName, 'listen-port', String(port), 'private-key', file]),
  );
  const address4 = `10.77.0.${index}`;
  const address6 = `fd00:77::${index}`;
  await host.ip('address', 'add', `${address4}/24`, 'dev', interfaceName);
  await host.ip('address', 'add', `${address6}/64`, 'dev', interfaceName, 'nodad');
  await host.ip('link', 'set', interfaceName, 'mtu', String(options.mtu ?? 1420), 'up');
  return {
    host,
    interfaceName,
    publicKey,
    child,
    address4,
    address6,
    endpoint4: `192.0.2.${index}:${port}`,
    endpoint6: `[2001:db8::${index}]:${port}`,
  };
}

/** Starts an implementation in the foreground and waits until its UAPI answers. */
export async function startDevice(
  host: Host,
  interfaceName: string,
  implementation: Implementation,
  env: NodeJS.ProcessEnv = {},
): Promise<ChildProcess> {
  const child = host.start([...COMMANDS[implementation], interfaceName], { LOG_LEVEL: 'error', ...env });
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

async function addPeer(own: TunnelEnd, other: TunnelEnd, options: TunnelOptions): Promise<void> {
  const endpoint = options.outer === 6 ? other.endpoint6 : other.endpoint4;
  const argv = ['wg', 'set', own.interfaceName, 'peer', other.publicKey, 'endpoint', endpoint];
  argv.push('allowed-ips', `${other.address4}/32,${other.address6}/128`);
  if (options.presharedKey === undefined) await own.host.run(argv);
  else await withFile(options.presharedKey, (file) => own.host.run([...argv, 'preshared-key', file]));
}
