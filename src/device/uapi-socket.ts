import { constants } from 'node:os';
import { chmod, mkdir, unlink } from 'node:fs/promises';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { WiremeshError } from '../error.ts';
import type { DeviceChange, DeviceState } from '../wireguard/index.ts';
import { formatState, SetOperation, UapiSyntaxError, type ResolveZone } from './uapi.ts';

/** Where `wg` looks for the sockets of userspace implementations. */
export const UAPI_DIRECTORY = '/var/run/wireguard';

/** No key of the protocol has a value near this. */
const LONGEST_LINE = 4096;

/** What a device must answer to be configured through UAPI. */
export interface ConfigurableDevice {
  configure(change: DeviceChange): Promise<void>;
  state(): Promise<DeviceState>;
}

/** Another process serves this interface already. */
export class UapiInUseError extends WiremeshError {
  readonly code = 'UAPI_IN_USE';
  constructor(path: string) {
    super(`${path} is in use by another process: is the interface up already? See "wg show"`);
  }
}

/** Serves `get=1` and `set=1` on a Unix socket, mode 0600: whoever may connect may read the private key. */
export class UapiSocket {
  readonly path: string;
  readonly #server: Server;
  readonly #connections = new Set<Socket>();

  /** @throws UapiInUseError if a living process serves `path`; what a dead one left is replaced */
  static async listen(path: string, device: ConfigurableDevice, resolveZone: ResolveZone): Promise<UapiSocket> {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    if (await isServed(path)) throw new UapiInUseError(path);
    await unlink(path).catch(() => {});
    const server = createServer();
    const socket = new UapiSocket(path, server);
    server.on('connection', (connection) => socket.#serve(connection, new Conversation(device, resolveZone)));
    await socket.#bind();
    return socket;
  }

  private constructor(path: string, server: Server) {
    this.path = path;
    this.#server = server;
  }

  /** Ends all conversations and removes the socket. */
  async close(): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    await unlink(this.path).catch(() => {});
  }

  async #bind(): Promise<void> {
    // The mask keeps others out between `bind` and `chmod`.
    const mask = process.umask(0o177);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#server.once('error', reject);
        this.#server.listen(this.path, resolve);
      });
    } finally {
      process.umask(mask);
    }
    await chmod(this.path, 0o600);
  }

  #serve(connection: Socket, conversation: Conversation): void {
    this.#connections.add(connection);
    connection.on('close', () => this.#connections.delete(connection));
    connection.on('error', () => connection.destroy());
    let rest = '';
    connection.setEncoding('latin1');
    connection.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > LONGEST_LINE) return void connection.destroy();
      // While a whole operation is being carried out, the client's next one waits in the kernel.
      connection.pause();
      void conversation
        .handleLines(lines, (answer) => connection.write(answer))
        .then(
          () => connection.resume(),
          () => connection.destroy(),
        );
    });
  }
}

/** What has been said on one connection. */
class Conversation {
  readonly #device: ConfigurableDevice;
  readonly #resolveZone: ResolveZone;
  #operation: 'none' | 'get' | SetOperation | 'failed' = 'none';

  constructor(device: ConfigurableDevice, resolveZone: ResolveZone) {
    this.#device = device;
    this.#resolveZone = resolveZone;
  }

  /** Rejects if what comes is not this protocol: nothing more is to be said then. */
  async handleLines(lines: readonly string[], answer: (text: string) => void): Promise<void> {
    for (const line of lines) {
      if (this.#operation === 'none') this.#begin(line);
      else if (line === '') answer(await this.#finish());
      else this.#continue(line);
    }
  }

  #begin(line: string): void {
    if (line === 'get=1') this.#operation = 'get';
    else if (line === 'set=1') this.#operation = new SetOperation(this.#resolveZone);
    else throw new UapiSyntaxError();
  }

  #continue(line: string): void {
    if (!(this.#operation instanceof SetOperation)) return;
    try {
      this.#operation.handleLine(line);
    } catch (error) {
      if (!(error instanceof UapiSyntaxError)) throw error;
      // The rest up to the blank line belongs to the operation that failed.
      this.#operation = 'failed';
    }
  }

  async #finish(): Promise<string> {
    const operation = this.#operation;
    this.#operation = 'none';
    try {
      if (operation === 'failed') return errno('EINVAL');
      if (operation === 'get') return formatState(await this.#device.state()) + errno();
      if (operation instanceof SetOperation) await this.#device.configure(operation.change());
      return errno();
    } catch (error) {
      return errno(errnoOf(error));
    }
  }
}

function errno(name?: keyof typeof constants.errno): string {
  return `errno=${name === undefined ? 0 : -constants.errno[name]}\n\n`;
}

function errnoOf(error: unknown): keyof typeof constants.errno {
  const code = error instanceof WiremeshError ? error.code : '';
  if (code === 'PORT_IN_USE') return 'EADDRINUSE';
  if (code === 'INVALID_CONFIGURATION') return 'EINVAL';
  return 'EIO';
}

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = createConnection(path);
    connection.on('connect', () => {
      connection.destroy();
      resolve(true);
    });
    connection.on('error', () => resolve(false));
  });
}
