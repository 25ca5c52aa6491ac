import { lookup } from 'node:dns/promises';
import { endpointOf, formatEndpoint, parseAddress, type Endpoint } from '../inet/index.ts';

/** Names change where they point to, and may not resolve before the machine is online. */
const RESOLVE_INTERVAL_MS = 60_000;
const RETRY_INTERVAL_MS = 5_000;

/** All addresses of a host. Rejects where there are none. */
export type ResolveHost = (host: string) => Promise<readonly string[]>;

async function resolveByNode(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

/** Resolves `HOST:PORT` at intervals and reports the endpoints whenever they have changed. */
export class BootstrapResolver {
  readonly #hosts: readonly string[];
  readonly #onEndpoints: (endpoints: readonly Endpoint[]) => void;
  readonly #onUnknownHost: (hostPort: string) => void;
  readonly #resolveHost: ResolveHost;
  readonly #unknown = new Set<string>();
  /** What a name stood for last: a resolver that fails for a while takes nothing away. */
  readonly #known = new Map<string, readonly Endpoint[]>();
  #reported = '';
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(
    hosts: readonly string[],
    on: { endpoints(endpoints: readonly Endpoint[]): void; unknownHost(hostPort: string): void },
    resolveHost: ResolveHost = resolveByNode,
  ) {
    this.#hosts = hosts;
    this.#onEndpoints = (endpoints) => on.endpoints(endpoints);
    this.#onUnknownHost = (hostPort) => on.unknownHost(hostPort);
    this.#resolveHost = resolveHost;
  }

  /** Resolves now, and then again and again until `close`. */
  async run(): Promise<void> {
    if (this.#hosts.length === 0) return;
    await Promise.all(this.#hosts.map((hostPort) => this.#resolve(hostPort)));
    if (this.#isClosed) return;
    const endpoints = [...this.#known.values()].flat();
    const text = endpoints.map(formatEndpoint).join(' ');
    if (text !== this.#reported) this.#onEndpoints(endpoints);
    this.#reported = text;
    const interval = this.#unknown.size > 0 ? RETRY_INTERVAL_MS : RESOLVE_INTERVAL_MS;
    this.#timer = setTimeout(() => void this.run(), interval);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  async #resolve(hostPort: string): Promise<void> {
    const colon = hostPort.lastIndexOf(':');
    const host = hostPort.slice(0, colon).replace(/^\[|\]$/g, '');
    const port = Number(hostPort.slice(colon + 1));
    try {
      const addresses = (await this.#resolveHost(host)).map(parseAddress).filter((address) => address !== undefined);
      this.#known.set(
        hostPort,
        addresses.map((address) => endpointOf(address, port)),
      );
      this.#unknown.delete(hostPort);
    } catch {
      // Said once for each time that it stops to be known.
      if (!this.#unknown.has(hostPort) && !this.#isClosed) this.#onUnknownHost(hostPort);
      this.#unknown.add(hostPort);
    }
  }
}
