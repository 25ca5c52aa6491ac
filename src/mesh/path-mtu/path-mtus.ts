import { formatEndpoint } from '../../inet/index.ts';
import { millis, type Millis } from '../../machine/index.ts';
import { isDirect } from '../endpoints.ts';
import type { KnownNode } from '../known-nodes.ts';
import type { NodeContext } from '../node-context.ts';
import { ECHO_PACKET_BYTES } from '../messages.ts';
import type { PathMtuOutput, Way } from './path-mtu.ts';
import { BASE_MTU, longestOverRelays } from './sizes.ts';

/** The path MTUs to all nodes: which way each of them is of, and what becomes of what is found. */
export class PathMtus {
  readonly #context: NodeContext;
  /** Those that have something to say, and those that want to be called. */
  readonly #changed = new Set<KnownNode>();
  readonly #waiting = new Set<KnownNode>();
  /** By node: what was said last of each of its ways, as few as it has. */
  readonly #said = new WeakMap<KnownNode, Map<string, number>>();

  constructor(context: NodeContext) {
    this.#context = context;
  }

  /** The way to the node may have changed. */
  review(node: KnownNode, now: Millis): void {
    node.pathMtu.setWay(this.#wayTo(node, now), now);
    this.#note(node);
  }

  /** There is traffic for the node. */
  handleActive(node: KnownNode, now: Millis): void {
    node.pathMtu.handleActive(now);
    this.review(node, now);
  }

  /** The host's own network does not take a packet for the node as long as it was. */
  handleRefused(node: KnownNode, now: Millis): void {
    node.pathMtu.handleRefused(now);
    this.#note(node);
  }

  /** @returns whether it was asked for here */
  handleEcho(node: KnownNode, nonce: bigint, now: Millis): boolean {
    const isOurs = node.pathMtu.handleEcho(nonce, now);
    this.#note(node);
    return isOurs;
  }

  handleRemoved(node: KnownNode): void {
    this.#changed.delete(node);
    this.#waiting.delete(node);
  }

  handleTimeout(now: Millis): void {
    for (const node of this.#waiting) {
      if (node.pathMtu.nextTimeout() > now) continue;
      node.pathMtu.handleTimeout(now);
      this.#note(node);
    }
  }

  drain(): void {
    for (const node of this.#changed) {
      for (let output = node.pathMtu.poll(); output !== undefined; output = node.pathMtu.poll()) {
        this.#carryOut(output, node);
      }
    }
    this.#changed.clear();
  }

  nextTimeout(): Millis {
    let next = Infinity;
    for (const { pathMtu } of this.#waiting) next = Math.min(next, pathMtu.nextTimeout());
    return millis(next);
  }

  #note(node: KnownNode): void {
    if (node.pathMtu.hasOutput) this.#changed.add(node);
    if (node.pathMtu.nextTimeout() === Infinity) this.#waiting.delete(node);
    else this.#waiting.add(node);
  }

  /** A way over relays is of interest while there is traffic; a direct one is looked at once it is up. */
  #wayTo(node: KnownNode, now: Millis): Way | undefined {
    const { tunnel, endpoint, route, pathMtu } = node;
    const { interfaceMtu } = this.#context.options;
    if (tunnel.isUp) {
      return endpoint !== undefined && isDirect(endpoint)
        ? { key: formatEndpoint(endpoint), longest: interfaceMtu }
        : undefined;
    }
    if (route === undefined || route.via === node) return undefined;
    const way = { key: route.via.description.nodeId, longest: longestOverRelays(interfaceMtu) };
    return pathMtu.isActive(now) || pathMtu.way?.key === way.key ? way : undefined;
  }

  #carryOut(output: PathMtuOutput, node: KnownNode): void {
    const { outbox, roster } = this.#context;
    if (!roster.nodes.has(node)) return;
    switch (output.kind) {
      case 'probe': {
        const padding = Math.max(0, output.size - ECHO_PACKET_BYTES);
        return outbox.tunnelSend({ kind: 'echo-request', nonce: output.nonce, isOfLength: true, padding }, node);
      }
      case 'limit': {
        const { mtu, isProved } = output;
        return outbox.packetLimit({ publicKey: node.description.wireGuardPublicKey, mtu, isProved });
      }
      case 'found':
        return this.#say(output, node);
    }
  }

  /** Once of each way, and again when it has changed. */
  #say({ way, mtu, isBlocked }: PathMtuOutput & { kind: 'found' }, node: KnownNode): void {
    const said = this.#said.get(node) ?? new Map<string, number>();
    this.#said.set(node, said);
    const before = said.get(way.key) ?? way.longest;
    if (mtu === before) return;
    if (mtu >= way.longest) said.delete(way.key);
    else said.set(way.key, mtu);
    for (const key of said.keys()) if (said.size > MAX_SAID) said.delete(key);
    const kind = mtu >= way.longest ? 'path-whole' : 'path-narrow';
    this.#context.outbox.event(kind, node, isBlocked ? NOTHING_PASSES : wordsFor(mtu, way));
  }
}

const MAX_SAID = 8;
const NOTHING_PASSES =
  'answers come to short packets only: nothing of any use passes; look for a firewall or a tunnel on the way';

function wordsFor(mtu: number, { longest }: Way): string {
  if (mtu >= longest) return `packets of ${longest} bytes pass again`;
  const tooLong = `packets longer than ${mtu} bytes do not arrive`;
  if (mtu >= BASE_MTU) return `${tooLong} (we would send ${longest}): applications are told to send shorter ones`;
  return `${tooLong}, and IPv6 wants ${BASE_MTU}: they are cut, which is slow; look for a firewall or a tunnel on the way`;
}
