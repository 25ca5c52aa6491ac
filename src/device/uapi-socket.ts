import { constants } from 'node:os';
import { existsSync, watch, type FSWatcher } from 'node:fs';
import { chmod, mkdir, unlink } from 'node:fs/promises';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { basename, dirname } from 'node:path';
import { WiremeshError } from '../error.ts';
import { wipeSecrets, type DeviceChange, type DeviceState } from '../wireguard/index.ts';
import { formatState, SetOperation, UapiSyntaxError, type ResolveZone } from './uapi.ts';

/** Where `wg` looks for the sockets of userspace implementations. */
export const UAPI_DIRECTORY = '/var/run/wireguard';

/** No key of the protocol has a value near this; other implementations take as much. */
const LONGEST_LINE = 65_535;

/** Lines of one `set`, all of which wait in memory until it is complete: enough for 100,000 peers. */
const LONGEST_OPERATION = 1_000_000;

/** Whoever takes longer to read an answer is cut off: a million bytes wait in memory for a client that does not read. */
const ANSWER_TIMEOUT = 60_000;

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
  /** Somebody has deleted the socket: nobody can find the interface any more. */
  onRemoved: () => void = () => {};
  /** Why `onRemoved` will never be called, where the host has no watch for us (inotify(7)). */
  unwatchedReason: string | undefined;
  readonly #server: Server;
  readonly #connections = new Set<Socket>();
  #watcher: FSWatcher | undefined;

  /** @throws UapiInUseError if a living process serves `path`; what a dead one left is replaced */
  static async listen(path: string, device: ConfigurableDevice, resolveZone: ResolveZone): Promise<UapiSocket> {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    if (await isServed(path)) throw new UapiInUseError(path);
    await unlink(path).catch(() => {});
    // A client may close its side behind the last operation, as "nc -N" does, and still wants the answer.
    const server = createServer({ allowHalfOpen: true });
    const socket = new UapiSocket(path, server);
    server.on('connection', (connection) => void socket.#serve(connection, new Conversation(device, resolveZone)));
    await socket.#bind();
    socket.#watch();
    return socket;
  }

  private constructor(path: string, server: Server) {
    this.path = path;
    this.#server = server;
  }

  /** Ends all conversations and removes the socket. */
  async close(): Promise<void> {
    this.#watcher?.close();
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

  #watch(): void {
    try {
      this.#watcher = watch(dirname(this.path), (_event, name) => {
        if (name === basename(this.path) && !existsSync(this.path)) this.onRemoved();
      });
    } catch (error) {
      // EMFILE and ENOSPC: other programs of this user have taken all that there are (Kubernetes is known for that).
      this.unwatchedReason = `inotify: ${(error as NodeJS.ErrnoException).code ?? String(error)}`;
      return;
    }
    // The folder itself may go.
    this.#watcher.on('error', () => this.onRemoved());
  }

  async #serve(connection: Socket, conversation: Conversation): Promise<void> {
    this.#connections.add(connection);
    connection.on('error', () => {});
    try {
      await converse(connection, conversation);
    } catch {
      // The client has gone or does not read: there is nobody to tell.
    } finally {
      connection.destroy();
      this.#connections.delete(connection);
    }
  }
}

/** Returns when the client has said all it wants, or something else than this protocol. */
async function converse(connection: Socket, conversation: Conversation): Promise<void> {
  let rest = '';
  // While an operation is carried out, or its answer not taken, what the client says next waits in the kernel.
  for await (const bytes of connection as AsyncIterable<Buffer>) {
    const lines = (rest + bytes.toString('latin1')).split('\n');
    // There may be keys in them. So there are in the text, which only the garbage collector can take away.
    bytes.fill(0);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const answer = await conversation.handleLine(line);
      if (answer !== undefined) await send(connection, answer.text);
      if (answer?.isLast) return;
    }
    if (rest.length > LONGEST_LINE) return send(connection, TOO_LONG.text);
  }
}

interface Answer {
  readonly text: string;
  /** What comes is not this protocol: hang up. */
  readonly isLast?: true;
}

type Operation = 'none' | 'get' | SetOperation | { readonly failed: ErrnoName };

/** What has been said on one connection. */
export class Conversation {
  readonly #device: ConfigurableDevice;
  readonly #resolveZone: ResolveZone;
  #operation: Operation = 'none';
  #lines = 0;

  constructor(device: ConfigurableDevice, resolveZone: ResolveZone) {
    this.#device = device;
    this.#resolveZone = resolveZone;
  }

  /** Takes in a line less its end. Answers to the last one of an operation. */
  async handleLine(line: string): Promise<Answer | undefined> {
    if (line.length > LONGEST_LINE) return TOO_LONG;
    switch (this.#operation) {
      case 'none':
        return this.#begin(line);
      case 'get':
        // Nothing may be said between `get=1` and the blank line.
        if (line !== '') return { text: errno('EINVAL'), isLast: true };
        break;
      default:
        // As other implementations do, inside of `set` only.
        if (line !== '' && line !== '\r') return this.#continue(this.#operation, line.replace(/\r$/, ''));
    }
    const operation = this.#operation;
    this.#operation = 'none';
    return { text: await this.#carryOut(operation) };
  }

  #begin(line: string): Answer | undefined {
    if (line === 'get=1') this.#operation = 'get';
    else if (line === 'set=1') this.#operation = new SetOperation(this.#resolveZone);
    else return { text: '', isLast: true };
    this.#lines = 0;
    return undefined;
  }

  /** After a line that is wrong, the rest up to the blank line belongs to the operation that failed. */
  #continue(operation: Exclude<Operation, string>, line: string): undefined {
    if (!(operation instanceof SetOperation)) return;
    try {
      operation.handleLine(line);
      if (++this.#lines > LONGEST_OPERATION) this.#operation = { failed: 'EMSGSIZE' };
    } catch (error) {
      if (!(error instanceof UapiSyntaxError)) throw error;
      wipeSecrets(operation.change());
      this.#operation = { failed: error.errno };
    }
  }

  async #configure(change: DeviceChange): Promise<void> {
    try {
      await this.#device.configure(change);
    } finally {
      wipeSecrets(change);
    }
  }

  /** (Of the text, no copy can be wiped: JavaScript's strings are beyond reach.) */
  async #read(): Promise<string> {
    const state = await this.#device.state();
    const text = formatState(state);
    wipeSecrets(state);
    return text;
  }

  async #carryOut(operation: Operation): Promise<string> {
    try {
      if (operation === 'get') return (await this.#read()) + errno();
      if (operation instanceof SetOperation) await this.#configure(operation.change());
      else if (operation !== 'none') return errno(operation.failed);
      return errno();
    } catch (error) {
      return errno(errnoOf(error));
    }
  }
}

/** Resolves once the kernel has taken all of `text`. Rejects if the client is gone, or made gone, before. */
async function send(connection: Socket, text: string): Promise<void> {
  const bytes = Buffer.from(text, 'latin1');
  const deadline = setTimeout(() => connection.destroy(), ANSWER_TIMEOUT);
  try {
    await new Promise<void>((resolve, reject) => {
      connection.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  } finally {
    clearTimeout(deadline);
    bytes.fill(0);
  }
}

type ErrnoName = keyof typeof constants.errno;

function errno(name?: ErrnoName): string {
  return `errno=${name === undefined ? 0 : -constants.errno[name]}\n\n`;
}

const TOO_LONG: Answer = { text: errno('EIO'), isLast: true };

function errnoOf(error: unknown): ErrnoName {
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
