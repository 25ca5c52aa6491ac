/**
 * The networks of others in a node's life: hands `Gateways` descriptions and paths, carries its wishes out, and keeps the
 * paths to gateways that matter under watch.
 */
import { DEFAULT_RTT_COST, NOMINAL_COST, rttPenalty } from '../babel/index.ts';
import type { Prefix } from '../inet/index.ts';
import { after, millis, seconds, type Millis } from '../machine/index.ts';
import { Gateways, type GatewayOutput, type NetworkView } from './gateways.ts';
import type { KnownNode } from './known-nodes.ts';
import { drained, type NodeContext } from './node-context.ts';
import { pathOf } from './paths.ts';

/** Less than the time for which traffic has a path probed often. */
const WATCH_INTERVAL = seconds(2);
const FIRST_ECHO_WAIT = seconds(2);
const MAX_ECHO_WAIT = seconds(30);
const ECHO_BACK_OFF = 1.5;

/**
 * Whoever was lost on the direct path counts as cut off until it has answered over relays, whatever Babel says: other
 * neighbours may not have noticed yet that the node has died, and go on announcing it.
 */
interface Suspect {
  nonce: bigint;
  askAt: Millis;
  wait: Millis;
}

export class Imports {
  readonly #context: NodeContext;
  readonly #gateways: Gateways;
  /** Gateways with a direct path. */
  readonly #direct = new Set<KnownNode>();
  readonly #suspects = new Map<KnownNode, Suspect>();
  #watchAt: Millis | undefined;

  constructor(context: NodeContext) {
    const { imports, networks } = context.options;
    this.#context = context;
    this.#gateways = new Gateways({ imports, own: networks.map(({ prefix }) => prefix) });
  }

  /** There is a new description, of a node that is a peer by now. */
  handleDescribed({ description }: KnownNode, now: Millis): void {
    this.#gateways.handleDescription(description, now);
  }

  handleRemoved(node: KnownNode, now: Millis): void {
    this.#direct.delete(node);
    this.#suspects.delete(node);
    this.#gateways.handleGone(node.description.nodeId, now);
  }

  handleTimeout(now: Millis): void {
    this.#gateways.handleTimeout(now);
  }

  nextTimeout(): Millis | undefined {
    const echoes = [...this.#suspects].flatMap(([node, { askAt }]) => (isRelayed(node) ? [askAt] : []));
    const wanted = [this.#gateways.nextTimeout(), this.#watchAt, ...echoes];
    const next = Math.min(...wanted.map((at) => at ?? Infinity));
    return next === Infinity ? undefined : millis(next);
  }

  handleEcho(node: KnownNode, nonce: bigint): void {
    if (this.#suspects.get(node)?.nonce === nonce) this.#suspects.delete(node);
    else this.#context.outbox.drop('echo-reply-unasked');
  }

  /** Draws the consequences of what has changed about paths. */
  drain(now: Millis): void {
    const { roster } = this.#context;
    for (const nodeId of this.#gateways.nodeIds) {
      const node = roster.nodes.get(nodeId);
      if (node !== undefined) this.#gateways.handlePath(nodeId, this.#metricOf(node, now), now);
    }
    this.#askSuspects(now);
    let mustWatch = this.#watchAt !== undefined && this.#watchAt <= now;
    for (const output of drained(this.#gateways)) {
      this.#carryOut(output);
      mustWatch = true;
    }
    if (mustWatch) this.#watch(now);
  }

  views(): NetworkView[] {
    return this.#gateways.views();
  }

  /** Of the path to the node; `undefined` where there is none to rely on. */
  #metricOf(node: KnownNode, now: Millis): number | undefined {
    const path = pathOf(node);
    if (path.kind === 'direct') {
      this.#direct.add(node);
      this.#suspects.delete(node);
      return NOMINAL_COST + rttPenalty(node.tunnel.smoothedRtt ?? millis(0), DEFAULT_RTT_COST);
    }
    // A direct path may also have been given up, for want of traffic.
    if (this.#direct.delete(node) && node.tunnel.state === 'lost') {
      this.#suspects.set(node, { nonce: 0n, askAt: now, wait: FIRST_ECHO_WAIT });
    }
    return path.kind === 'relayed' && !this.#suspects.has(node) ? path.metric : undefined;
  }

  #askSuspects(now: Millis): void {
    for (const [node, suspect] of this.#suspects) {
      if (suspect.askAt > now || !isRelayed(node)) continue;
      suspect.nonce = this.#context.nonce();
      suspect.askAt = after(now, suspect.wait);
      suspect.wait = millis(Math.min(MAX_ECHO_WAIT, suspect.wait * ECHO_BACK_OFF));
      this.#context.outbox.tunnelSend({ kind: 'echo-request', nonce: suspect.nonce }, node);
    }
  }

  /** Has the paths probed as those that carry traffic are: whether a gateway answers is to be known before there is any. */
  #watch(now: Millis): void {
    this.#watchAt = undefined;
    for (const nodeId of this.#gateways.watched()) {
      const node = this.#context.roster.nodes.get(nodeId);
      node?.tunnel.handleActive(now);
      if (node !== undefined && !node.tunnel.isUp) node.route?.via.tunnel.handleActive(now);
      this.#watchAt = after(now, WATCH_INTERVAL);
    }
  }

  #carryOut(output: GatewayOutput): void {
    const { outbox } = this.#context;
    switch (output.kind) {
      case 'configure':
        return outbox.configure(...output.peers);
      case 'route':
        return outbox.importRoute(output.prefix, output.isWanted);
      case 'chosen':
        return this.#report('gateway-chosen', output, `preference ${output.preference}`);
      case 'cut':
        return this.#report('gateway-cut', output);
      case 'refused':
        outbox.drop(output.reason);
        return this.#report('offer-refused', output, output.reason);
    }
  }

  #report(
    kind: 'gateway-chosen' | 'gateway-cut' | 'offer-refused',
    { nodeId, prefix }: { readonly nodeId: string; readonly prefix: Prefix },
    reason?: string,
  ): void {
    const node = this.#context.roster.nodes.get(nodeId);
    if (node !== undefined) this.#context.outbox.event(kind, node, reason, prefix);
  }
}

function isRelayed(node: KnownNode): boolean {
  return pathOf(node).kind === 'relayed';
}
