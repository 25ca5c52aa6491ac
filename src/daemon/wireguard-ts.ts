/**
 * The composition root of `wireguard-ts`: one WireGuard interface, configured by `wg`, a drop-in for `wireguard-go`
 * (its conventions: `-f`, `LOG_LEVEL`, `WG_PROCESS_FOREGROUND`; returns when the device is there and its UAPI listens).
 */
import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import {
  defaultThreads,
  MOST_THREADS,
  RunningDevice,
  UAPI_DIRECTORY,
  UapiSocket,
  type DeviceEvent,
} from '../device/index.ts';
import { WiremeshError } from '../error.ts';
import { forgoLinkLocalAddress, listLinks, runIpBatch, setMtu, tryToForbidCoreDumps } from '../linux/index.ts';
import type { Timing } from '../wireguard/index.ts';
import { printable } from '../printable.ts';
import { hasTerminal, listenToSignals } from './end-signals.ts';
import { describeLost, LogOutput, writerTo } from './log-output.ts';
import { version } from './version.ts';

const STANDARD_OUTPUT = 1;
const LEVELS = { silent: 0, error: 1, verbose: 2, debug: 2 } as const;
type Log = (level: 'error' | 'verbose', text: string) => void;
/** What the daemonized process tells the one that started it, which then ends. */
type Readiness = { readonly ready: true } | { readonly ready: false; readonly message: string };

/** Variables that the daemonized process needs. */
const INHERITED = ['PATH', 'LOG_LEVEL', 'NODE_OPTIONS', 'WIREGUARD_TS_TEST_TIMING'] as const;

/** The largest MTU that fits 1,500 bytes of IPv6 underlay: 40 + 8 + 32 bytes go to IP, UDP and WireGuard. */
const DEFAULT_MTU = 1420;

/** What was asked for. */
interface Interface {
  readonly name: string;
  readonly keyLogFile: string | undefined;
  readonly threads: number;
}

/** @returns the exit code */
export async function runWireguardTs(argv: readonly string[]): Promise<number> {
  const program = new Command('wireguard-ts')
    .description('A WireGuard interface in userspace, to be configured with wg(8).')
    .argument('<interface>', 'name of the interface to create')
    .option('-f, --foreground', 'stay in the foreground')
    .addOption(
      new Option('--key-log <file>', 'let Wireshark read the traffic: write the secrets of handshakes there').env(
        'WG_KEYLOGFILE',
      ),
    )
    .option('--threads <count>', 'threads that seal and open packets (default: half the cores)', threadCount)
    .version(version(), '-v, --version')
    .exitOverride();
  try {
    program.parse(argv);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    throw error;
  }
  const [name] = program.args;
  const options = program.opts<{ foreground?: true; keyLog?: string; threads?: number }>();
  const threads = options.threads ?? defaultThreads();
  const isForeground = options.foreground || process.env.WG_PROCESS_FOREGROUND === '1';
  // An empty variable is no file. The daemonized process lives in another folder.
  const keyLogFile = options.keyLog ? resolve(options.keyLog) : undefined;
  if (keyLogFile !== undefined && process.send === undefined) warnOfKeyLog(keyLogFile);
  try {
    if (isForeground) await serve({ name, keyLogFile, threads });
    else await daemonize(argv[1], { name, keyLogFile, threads });
    return 0;
  } catch (error) {
    if (error instanceof Error) tellStarter({ ready: false, message: error.message });
    if (!(error instanceof WiremeshError)) throw error;
    if (process.send === undefined) process.stderr.write(`wireguard-ts: ${printable(error.message)}\n`);
    return 1;
  }
}

/** Starts this program once more, detached, and waits until its device can be configured. */
async function daemonize(script: string, { name, keyLogFile, threads }: Interface): Promise<void> {
  const output = logLevel() === LEVELS.debug ? 'inherit' : 'ignore';
  const keyLog = keyLogFile === undefined ? [] : ['--key-log', keyLogFile];
  const child = spawn(
    process.execPath,
    [...process.execArgv, script, '-f', '--threads', `${threads}`, ...keyLog, name],
    {
      cwd: '/',
      // What the starter's environment holds besides is not for a process that lives on.
      env: Object.fromEntries(INHERITED.map((variable) => [variable, process.env[variable]])),
      detached: true,
      stdio: ['ignore', output, output, 'ipc'],
    },
  );
  const readiness = await new Promise<Readiness>((resolve) => {
    child.once('message', (message) => resolve(message as Readiness));
    child.once('error', (error) => resolve({ ready: false, message: error.message }));
    child.once('exit', () => resolve({ ready: false, message: `the process for ${name} ended while it started` }));
  });
  child.removeAllListeners();
  if (child.connected) child.disconnect();
  child.unref();
  if (!readiness.ready) throw new DaemonizeError(readiness.message);
}

/** The process that was to serve the interface could not; its own error says why. */
class DaemonizeError extends WiremeshError {
  readonly code = 'DAEMONIZE';
}

/** Runs the interface until a signal comes or somebody deletes it. */
async function serve({ name, keyLogFile, threads }: Interface): Promise<void> {
  const log = logger(name);
  const dumpReason = tryToForbidCoreDumps();
  if (dumpReason !== undefined) log('error', `keys may end up in core dumps: ${dumpReason}`);
  const device = await RunningDevice.start({ name, mtu: DEFAULT_MTU, timing: testTiming(), keyLogFile, threads });
  try {
    const ended = endOf(device, log);
    // As interfaces of the kernel's WireGuard; the rest of its settings is the administrator's business.
    for (const name of forgoLinkLocalAddress(device.interfaceName)) log('error', `cannot set ${name}`);
    await runIpBatch([setMtu(device.interfaceName, DEFAULT_MTU)]);
    const path = join(UAPI_DIRECTORY, `${device.interfaceName}.sock`);
    const uapi = await UapiSocket.listen(path, device, interfaceIndex);
    log('verbose', `device started, transport encryption by ${device.aeadName}, UAPI on ${path}`);
    if (device.aeadReason !== undefined)
      log('error', `the slower transport encryption is in use: ${device.aeadReason}`);
    if (!device.mayBeUrgent)
      log('verbose', 'no real-time priority (CAP_SYS_NICE): under load, packets wait for the CPU');
    if (device.threadsReason !== undefined)
      log('error', `one thread instead of ${threads} seals and opens packets: ${device.threadsReason}`);
    if (uapi.unwatchedReason !== undefined)
      log(
        'error',
        `deleting ${path} will not end this process (${uapi.unwatchedReason}): raise fs.inotify.max_user_instances and fs.inotify.max_user_watches`,
      );
    // As other implementations do: without its socket nobody could end the process by the name of its interface.
    const removed = new Promise<string>((resolve) => {
      uapi.onRemoved = () => resolve('the UAPI socket was removed');
    });
    tellStarter({ ready: true });
    log('verbose', await Promise.race([ended, removed]));
    await uapi.close();
  } finally {
    await device.close();
  }
}

/** Why the device is to end, once there is a reason. */
function endOf(device: RunningDevice, log: Log): Promise<string> {
  return new Promise((resolve) => {
    listenToSignals(
      {
        onEnd: (why) => resolve(`ended by ${why}`),
        onImpatience: () => process.exit(1),
        onOther: (signal) => log('verbose', `${signal} changes nothing`),
      },
      hasTerminal(),
    );
    device.onEvent = (event: DeviceEvent) => {
      switch (event.kind) {
        case 'interface-removed':
          return resolve('the interface was deleted');
        case 'key-log-failed':
          return log('error', event.error.message);
        case 'failed':
          log('error', event.error.message);
          process.exitCode = 1;
          return resolve('ended by a failure');
        case 'handshake-complete':
        case 'handshake-abandoned':
          return log('verbose', `${event.kind}: ${abbreviated(event.publicKey)}`);
        case 'peer-active':
        case 'path-error':
        case 'length-refused':
        case 'send-forbidden':
          return; // Of a mesh, which this is not.
      }
    };
  });
}

/** On standard error whatever LOG_LEVEL says: a key log that was forgotten gives all traffic away. */
function warnOfKeyLog(file: string): void {
  process.stderr.write(
    `wireguard-ts: WARNING: secrets of handshakes go to ${file}: whoever has this file can read the traffic\n`,
  );
}

function threadCount(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > MOST_THREADS)
    throw new InvalidArgumentError(`It is a whole number from 1 to ${MOST_THREADS}.`);
  return count;
}

function tellStarter(readiness: Readiness): void {
  if (process.send === undefined || !process.connected) return;
  process.send(readiness);
  process.disconnect();
}

function interfaceIndex(name: string): number | undefined {
  return listLinks().find((link) => link.name === name)?.index;
}

/** A public key as `wg` and other implementations abbreviate it in logs. */
function abbreviated(publicKey: Uint8Array): string {
  const base64 = Buffer.from(publicKey).toString('base64');
  return `peer(${base64.slice(0, 4)}…${base64.slice(39, 43)})`;
}

function logLevel(): number {
  const name = process.env.LOG_LEVEL ?? 'error';
  return Object.hasOwn(LEVELS, name) ? LEVELS[name as keyof typeof LEVELS] : LEVELS.error;
}

function logger(name: string): Log {
  const wanted = logLevel();
  const lineOf = (level: keyof typeof LEVELS, text: string) =>
    `${level.toUpperCase()}: (${name}) ${new Date().toISOString()} ${printable(text)}\n`;
  const output = new LogOutput(writerTo(STANDARD_OUTPUT), (lost) => lineOf('error', describeLost(lost)));
  return (level, text) => {
    if (LEVELS[level] <= wanted) output.write(lineOf(level, text));
  };
}

/** The timing hook of docs/testing.md: `WIREGUARD_TS_TEST_TIMING=rekeyAfterTime=5000,…`, in milliseconds. */
function testTiming(): Partial<Timing> | undefined {
  const text = process.env.WIREGUARD_TS_TEST_TIMING;
  if (text === undefined) return undefined;
  return Object.fromEntries(
    text.split(',').map((entry) => [entry.split('=')[0], Number(entry.split('=')[1])]),
  ) as Partial<Timing>;
}
