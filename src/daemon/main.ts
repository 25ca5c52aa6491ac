import { rmSync } from 'node:fs';
import type { UpOptions } from '../api/index.ts';
import { tryToForbidCoreDumps } from '../linux/index.ts';
import { serveApi } from './api-server.ts';
import { resolveConfig } from './config.ts';
import { hasTerminal, listenToSignals } from './end-signals.ts';
import { createLog } from './log.ts';
import { startMesh, type MeshDaemon } from './mesh-daemon.ts';
import { checkPrivilege } from './privilege.ts';
import { Releases } from './releases.ts';

/** Why a daemon ends, and with which exit code. */
interface Ending {
  readonly why: string;
  readonly exitCode: number;
}

/**
 * The composition root of `wiremesh up`: checks all that can be checked, takes what is needed, runs until it is told to
 * end, and gives everything back.
 * @returns the exit code. @throws WiremeshError if it could not start; then nothing is left of the attempt
 */
export async function runDaemon(options: UpOptions): Promise<number> {
  const config = resolveConfig(options);
  checkPrivilege();
  const log = createLog(config.logLevel, config.logFormat);
  const dumpReason = tryToForbidCoreDumps();
  if (dumpReason !== undefined) log.warn(`keys may end up in core dumps: ${dumpReason}`);
  const releases = new Releases((error) => log.warn(`while ending: ${(error as Error).message}`));
  const ending = createPromise<Ending>();
  const started = createPromise<MeshDaemon>();
  const released = createPromise<void>();
  const ignoreSignals = listenToSignals(
    {
      onEnd: (why) => ending.resolve({ why, exitCode: 0 }),
      onImpatience() {
        // The kernel takes the interface and its routes with the process; a socket in the file system would stay.
        rmSync(config.socket, { force: true });
        process.exit(1);
      },
      onOther: (signal) => log.info(`${signal} changes nothing: to read the configuration anew, restart wiremesh`),
    },
    hasTerminal(),
  );
  try {
    const api = await serveApi(config.socket, {
      status: async () => (await started.promise).status(),
      down: () => {
        ending.resolve({ why: 'asked by "wiremesh down"', exitCode: 0 });
        return released.promise;
      },
    });
    // Taken first, given back last: whoever asked for the end hears of it when everything else is gone.
    releases.add(() => {
      released.resolve();
      return api.close();
    });
    const onDeviceEnd = (why: string) => ending.resolve({ why, exitCode: 1 });
    const mesh = await startMesh({ config, log, releases, onDeviceEnd });
    await mesh.run();
    started.resolve(mesh);
    const { why, exitCode } = await ending.promise;
    releases.ending = exitCode === 0 ? 'orderly' : 'failed';
    log[exitCode === 0 ? 'info' : 'error'](`leaving the mesh: ${why}`);
    return exitCode;
  } catch (error) {
    started.reject(error);
    throw error;
  } finally {
    await releases.run();
    ignoreSignals();
  }
}

interface OpenPromise<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** (`Promise.withResolvers` of Node 22.) A rejection that nobody waits for is no error. */
function createPromise<T>(): OpenPromise<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((...settle) => ([resolve, reject] = settle));
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}
