/** Pings between the nodes of a lab without the ping command: ICMPv6 echo (RFC 4443 §4) from inside the namespaces. */
import { randomInt } from 'node:crypto';
import { addressesEqual, parseAddress, type IpAddress } from '../src/inet/index.ts';
import { IcmpSocket, inNamespace, namespacePath, watchReadable } from '../src/linux/index.ts';
import { nodeNumbers } from './topology.ts';
import { namespaceName } from './underlay.ts';

const ANSWER_TIMEOUT_MS = 250;

export interface Ping {
  readonly from: number;
  readonly to: number;
  /** `undefined` if no answer came in time. */
  readonly roundTripTimeMs: number | undefined;
}

/** Pings from every node to every other at `addresses` (of nodes 1, 2, …), again and again until `timeoutMs` is over. */
export async function pingAllPairs(
  lab: string,
  addresses: readonly string[],
  payload: Uint8Array,
  timeoutMs: number,
): Promise<Ping[]> {
  const nodes = nodeNumbers(addresses.length);
  const targets = nodes.map((node): Target => ({ node, address: parseAddress(addresses[node - 1]) as IpAddress }));
  const deadline = performance.now() + timeoutMs;
  const pings = nodes.map(async (from) => {
    const others = targets.filter(({ node }) => node !== from);
    const pinger = new Pinger(namespaceName(lab, from), payload);
    try {
      const roundTripTimes = await pinger.pingAll(others, deadline);
      return others.map(({ node }): Ping => ({ from, to: node, roundTripTimeMs: roundTripTimes.get(node) }));
    } finally {
      pinger.close();
    }
  });
  return (await Promise.all(pings)).flat();
}

interface Target {
  readonly node: number;
  readonly address: IpAddress;
}

/** Pings from one namespace. */
class Pinger {
  readonly #payload: Uint8Array;
  readonly #identifier = randomInt(0x10000);
  readonly #socket: IcmpSocket;
  readonly #watch: { close(): void };
  #sequence = 0;
  #onReply: (from: IpAddress, sequence: number) => void = () => {};

  constructor(namespace: string, payload: Uint8Array) {
    this.#payload = payload;
    this.#socket = inNamespace(namespacePath(namespace), () => new IcmpSocket());
    this.#watch = watchReadable(this.#socket.fd, () => this.#drain());
  }

  /** @returns the round trip times to the nodes that answered */
  async pingAll(targets: readonly Target[], deadline: number): Promise<Map<number, number>> {
    const roundTripTimes = new Map<number, number>();
    const unanswered = () => targets.filter(({ node }) => !roundTripTimes.has(node));
    do {
      // One after the other: the round trip time is then that of the way, not of a queue.
      for (const { node, address } of unanswered()) {
        const roundTripTimeMs = await this.#ping(address);
        if (roundTripTimeMs !== undefined) roundTripTimes.set(node, roundTripTimeMs);
      }
    } while (unanswered().length > 0 && performance.now() < deadline);
    return roundTripTimes;
  }

  close(): void {
    this.#watch.close();
    this.#socket.close();
  }

  /** @returns the round trip time, or `undefined` if no answer comes soon */
  #ping(to: IpAddress): Promise<number | undefined> {
    const sequence = (this.#sequence = (this.#sequence + 1) & 0xffff);
    const sentAt = performance.now();
    // Where there is no route yet, sending fails; the next try may not.
    this.#socket.sendEcho(to, this.#identifier, sequence, this.#payload);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(undefined), ANSWER_TIMEOUT_MS);
      this.#onReply = (from, replied) => {
        if (replied !== sequence || !addressesEqual(from, to)) return;
        clearTimeout(timer);
        resolve(performance.now() - sentAt);
      };
    });
  }

  #drain(): void {
    for (let reply = this.#socket.receive(); reply !== undefined; reply = this.#socket.receive()) {
      const isOurs = reply.identifier === this.#identifier && Buffer.compare(reply.payload, this.#payload) === 0;
      if (isOurs) this.#onReply(reply.from, reply.sequence);
    }
  }
}
