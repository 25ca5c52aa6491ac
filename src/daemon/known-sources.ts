import type { Endpoint, IpAddress } from '../inet/index.ts';
import type { NodeStatus } from '../mesh/index.ts';

/** Changes come in flocks, and each look goes over all nodes. */
const SETTLE_MS = 1000;

/**
 * Tells the device from where messages are expected, so that strangers cannot take their share: from the bootstrap
 * endpoints, and from all places of nodes that have once had a session with this one.
 */
export class KnownSources {
  readonly #nodes: () => NodeStatus['nodes'];
  readonly #tell: (addresses: readonly IpAddress[]) => void;
  #bootstrap: readonly Endpoint[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(nodes: () => NodeStatus['nodes'], tell: (addresses: readonly IpAddress[]) => void) {
    this.#nodes = nodes;
    this.#tell = tell;
  }

  /** At once: their answers come before anything else has happened. */
  setBootstrap(endpoints: readonly Endpoint[]): void {
    this.#bootstrap = endpoints;
    this.#look();
  }

  /** Something has happened to a node. */
  handleChange(): void {
    this.#timer ??= setTimeout(() => this.#look(), SETTLE_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #look(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const met = this.#nodes().filter(({ lastHandshakeAt }) => lastHandshakeAt !== undefined);
    const endpoints = [...this.#bootstrap, ...met.flatMap(({ endpoint, candidates }) => [endpoint, ...candidates])];
    this.#tell(endpoints.flatMap((endpoint) => (endpoint === undefined ? [] : [endpoint.address])));
  }
}
