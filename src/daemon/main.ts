import { rmSync } from 'node:fs';
import type { UpOptions } from '../api/index.ts';
import { checkApiSocket, serveApi } from './api-server.ts';
import { resolveConfig } from './config.ts';
import { createLog } from './log.ts';
import { startMesh } from './mesh-daemon.ts';
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
  await checkApiSocket(config.socket);
  const log = createLog(config.logLevel, config.logFormat);
  const releases = new Releases((error) => log.warn(`while ending: ${(error as Error).message}`));
  const ending = createPromise<Ending>();
  const released = createPromise<void>();
  const ignoreSignals = endOnSignals((why) => ending.resolve({ why, exitCode: 0 }), config.socket);
  try {
    const onDeviceEnd = (why: string) => ending.resolve({ why, exitCode: 1 });
    const mesh = await startMesh({ config, log, releases, onDeviceEnd });
    const api = await serveApi(config.socket, {
      status: () => mesh.status(),
      down: () => {
        ending.resolve({ why: 'asked by "wiremesh down"', exitCode: 0 });
        return released.promise;
      },
    });
    await mesh.run();
    const { why, exitCode } = await ending.promise;
    log[exitCode === 0 ? 'info' : 'error'](`leaving the mesh: ${why}`);
    await releases.run();
    // Who asked for the end is answered now, and may start another daemon as soon as the socket is gone.
    released.resolve();
    await api.close();
    return exitCode;
  } catch (error) {
    await releases.run();
    throw error;
  } finally {
    ignoreSignals();
  }
}

/** The first signal asks for an orderly end; whoever sends a second one will not wait for it. */
function endOnSignals(onSignal: (signal: string) => void, socketPath: string): () => void {
  let hasBeenAsked = false;
  const handle = (signal: string) => {
    if (hasBeenAsked) {
      // The kernel takes the interface and its routes with the process; a socket in the file system would stay.
      rmSync(socketPath, { force: true });
      process.exit(1);
    }
    hasBeenAsked = true;
    onSignal(signal);
  };
  process.on('SIGINT', handle).on('SIGTERM', handle);
  return () => process.off('SIGINT', handle).off('SIGTERM', handle);
}

function createPromise<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}
