/**
 * A model of a NAT for UDP, in the words of RFC 4787: how it maps what goes out (§4.1), whom it lets in by a mapping (§5),
 * and when it forgets (§4.3). As Linux does, it counts the time for each remote endpoint by itself. Hairpinning (§6) is not
 * modelled.
 */
import {
  addressesEqual,
  endpointOf,
  formatEndpoint,
  parseEndpoint,
  type Endpoint,
  type IpAddress,
} from '../inet/index.ts';
import { after, type Millis } from '../machine/index.ts';

const FIRST_CHANGED_PORT = 40_000;

type Dependence = 'endpoint-independent' | 'address-and-port-dependent';

/** Something between a host and the routed network that rewrites the host's address. */
export interface Nat {
  readonly address: IpAddress;
  /** @returns the source that `to` sees; `undefined` if the packet is dropped */
  translateOut(inside: Endpoint, to: Endpoint, now: Millis): Endpoint | undefined;
  /** @returns for whom a packet to `outside` is; `undefined` if it is not let in */
  translateIn(outside: Endpoint, from: Endpoint, now: Millis): Endpoint | undefined;
}

export interface NatOptions {
  readonly outside: IpAddress;
  readonly mapping: Dependence;
  readonly filtering: Dependence | 'address-dependent';
  /** Whether a mapping has the port of the inside; else, as always where it depends on the remote one, a new one. */
  readonly keepsPort: boolean;
  readonly timeout: Millis;
  /** Whether what comes in keeps a mapping as well as what goes out, as it does with Linux (§4.3, REQ-6). */
  readonly isRefreshedInbound: boolean;
}

interface Mapping {
  readonly inside: Endpoint;
  readonly outside: Endpoint;
  /** When something last passed, by remote endpoint. */
  readonly passedAtByRemote: Map<string, Millis>;
}

export class NatForTesting implements Nat {
  readonly address: IpAddress;
  readonly #options: NatOptions;
  #mappings: Mapping[] = [];
  #mappingCount = 0;

  constructor(options: NatOptions) {
    this.address = options.outside;
    this.#options = options;
  }

  translateOut(inside: Endpoint, to: Endpoint, now: Millis): Endpoint {
    this.#expire(now);
    const [source, remote] = [formatEndpoint(inside), formatEndpoint(to)];
    let mapping = this.#mappings.find(
      (known) => formatEndpoint(known.inside) === source && (this.#isForAll || known.passedAtByRemote.has(remote)),
    );
    if (mapping === undefined) {
      const port = this.#options.keepsPort && this.#isForAll ? inside.port : FIRST_CHANGED_PORT + this.#mappingCount++;
      mapping = { inside, outside: endpointOf(this.address, port), passedAtByRemote: new Map() };
      this.#mappings.push(mapping);
    }
    mapping.passedAtByRemote.set(remote, now);
    return mapping.outside;
  }

  translateIn(outside: Endpoint, from: Endpoint, now: Millis): Endpoint | undefined {
    this.#expire(now);
    const mapping = this.#mappings.find((known) => known.outside.port === outside.port);
    const remote = formatEndpoint(from);
    if (mapping === undefined || !this.#isWelcome(from, mapping)) return undefined;
    // Who is let in by another's mapping does not become one that it was made for.
    if (this.#options.isRefreshedInbound && mapping.passedAtByRemote.has(remote)) {
      mapping.passedAtByRemote.set(remote, now);
    }
    return mapping.inside;
  }

  #isWelcome(from: Endpoint, { passedAtByRemote }: Mapping): boolean {
    if (this.#options.filtering === 'endpoint-independent') return true;
    if (passedAtByRemote.has(formatEndpoint(from))) return true;
    if (this.#options.filtering !== 'address-dependent') return false;
    return [...passedAtByRemote.keys()].some((remote) => addressesEqual(parseEndpoint(remote)!.address, from.address));
  }

  get #isForAll(): boolean {
    return this.#options.mapping === 'endpoint-independent';
  }

  #expire(now: Millis): void {
    for (const { passedAtByRemote } of this.#mappings) {
      for (const [remote, at] of passedAtByRemote) {
        if (after(at, this.#options.timeout) <= now) passedAtByRemote.delete(remote);
      }
    }
    this.#mappings = this.#mappings.filter(({ passedAtByRemote }) => passedAtByRemote.size > 0);
  }
}
