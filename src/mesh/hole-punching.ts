/** Hole punching to every node that we talk with through a relay, and what is needed for it: where we are seen. */
import type { Endpoint } from '../inet/index.ts';
import { millis, type Millis } from '../machine/index.ts';
import { HolePunch } from './hole-punch.ts';
import type { KnownNode } from './known-nodes.ts';
import type { Call } from './messages.ts';
import { drained, type NodeContext } from './node-context.ts';
import { ReflexiveEndpoints } from './reflexive-endpoints.ts';

export class HolePunching {
  readonly #context: NodeContext;
  readonly #sendHello: (to: Endpoint, by: KnownNode, now: Millis) => void;
  readonly #reflexive = new ReflexiveEndpoints();
  readonly #punches = new Map<KnownNode, HolePunch>();

  constructor(context: NodeContext, sendHello: (to: Endpoint, by: KnownNode, now: Millis) => void) {
    this.#context = context;
    this.#sendHello = sendHello;
  }

  /** Somebody who sees us directly says where we are. */
  handleSeenAt({ description }: KnownNode, endpoint: Endpoint | undefined, now: Millis): void {
    if (endpoint !== undefined) this.#reflexive.handleReport(description.nodeId, endpoint, now);
  }

  /** There is traffic for the node. */
  handleActive(node: KnownNode, now: Millis): void {
    if (this.#isWanted(node)) this.#punchTo(node).handleWish(now);
  }

  handleCall(node: KnownNode, call: Call, now: Millis): void {
    if (this.#isWanted(node)) this.#punchTo(node).handleCall(call, now);
  }

  handleTimeout(now: Millis): void {
    for (const [node, punch] of this.#punches) {
      if (this.#isWanted(node)) punch.handleTimeout(now);
      // What it has learned of failures goes with it: a way was found, or the node is gone.
      else this.#punches.delete(node);
    }
  }

  nextTimeout(): Millis | undefined {
    let next = Infinity;
    for (const punch of this.#punches.values()) next = Math.min(next, punch.nextTimeout() ?? Infinity);
    return next === Infinity ? undefined : millis(next);
  }

  /** Where authenticated nodes see us, the endpoint with the most of them first. */
  reflexiveEndpoints(now: Millis): Endpoint[] {
    return this.#reflexive.list(now);
  }

  /** Whether the node has told us inside the tunnel that it may be reached there. */
  isTarget(node: KnownNode, endpoint: Endpoint): boolean {
    return this.#punches.get(node)?.isTarget(endpoint) === true;
  }

  drain(now: Millis): void {
    for (const [node, punch] of this.#punches) {
      for (const output of drained(punch)) {
        if (output.kind === 'hello') this.#sendHello(output.to, node, now);
        else this.#context.outbox.tunnelSend(output, node);
      }
    }
  }

  #isWanted(node: KnownNode): boolean {
    return this.#context.roster.nodes.has(node) && !node.tunnel.isUp && node.route !== undefined;
  }

  #punchTo(node: KnownNode): HolePunch {
    let punch = this.#punches.get(node);
    if (punch === undefined) {
      punch = new HolePunch({
        ownCandidates: (now) => this.#candidates(now),
        roundTripToRelay: () => node.route?.via.tunnel.smoothedRtt ?? millis(0),
        isPreferredCaller: this.#context.nodeId < node.description.nodeId,
      });
      this.#punches.set(node, punch);
    }
    return punch;
  }

  #candidates(now: Millis): Endpoint[] {
    return [...this.#reflexive.list(now), ...this.#context.own.current.endpoints.map(({ endpoint }) => endpoint)];
  }
}
