/**
 * Which way traffic goes: directly where a tunnel answers, else over relays as Babel says. Keeps Babel's neighbours in
 * step with the node's, the device's table of relay routes in step with Babel's, and the endpoints with both.
 */
import { endpointOf, type Endpoint } from '../inet/index.ts';
import { millis, type Millis } from '../machine/index.ts';
import { nodeLabel } from '../printable.ts';
import { BabelLink, RELAY_CAPABILITY, type BabelLinkOutput } from './babel-link.ts';
import { Distrust } from './distrust.ts';
import { AttestedSeqnos } from './attested-seqnos.ts';
import type { KnownNode } from './known-nodes.ts';
import type { BabelMessage } from './messages.ts';
import { drained, type NodeContext } from './node-context.ts';
import type { Path, RelayRouteChange } from './node-interface.ts';
import { MAX_STATEMENTS, type Echo, type RoutingMessage } from './routing-messages.ts';
import { TokenBucket } from './rate-limit.ts';
import type { SeqnoStatement } from './seqno-statement.ts';
import { WayWatch, type WayWatchOutput } from './way-watch.ts';

/** The UDP port, between addresses of the mesh, of WireGuard messages that others carry. */
export const RELAY_PORT = 7079;

/** Complaints of one neighbour. Each makes us ask for echoes for some seconds. */
const COMPLAINT_RATE = { perSecond: 1, burst: 10 };

export class Paths {
  readonly #context: NodeContext;
  readonly #onWay: (node: KnownNode, now: Millis) => void;
  readonly #babel: BabelLink;
  readonly #seqnos: AttestedSeqnos;
  readonly #distrust = new Distrust();
  readonly #watch: WayWatch;
  readonly #complaints = new WeakMap<KnownNode, TokenBucket>();
  readonly #neighbours = new Set<KnownNode>();
  /** Who forwards for others, as far as Babel has been told. */
  readonly #relays = new Set<string>();
  /** What was said last of the way to each node. */
  readonly #said = new Map<KnownNode, string>();

  /** `onWay` is told of nodes whose way may have changed. */
  constructor(context: NodeContext, onWay: (node: KnownNode, now: Millis) => void) {
    this.#onWay = onWay;
    const { own, roster, nonce, chance, nodeId } = context;
    const { address } = own.current;
    this.#context = context;
    this.#seqnos = new AttestedSeqnos(context);
    const shared = { nodeId, address, nodes: roster.nodes, seqnos: this.#seqnos, chance };
    const isDistrusted = (via: KnownNode, to: KnownNode) => this.#distrust.isDistrusted(via, to);
    this.#babel = new BabelLink({ ...shared, isDistrusted });
    this.#watch = new WayWatch({ nonce, chance, isDistrusted, nextHops: (node) => this.#babel.nextHops(node) });
  }

  start(now: Millis): void {
    this.#babel.start(now);
  }

  /** There is a new description. */
  handleDescribed(node: KnownNode, now: Millis): void {
    const { nodeId, capabilities } = node.description;
    const isRelay = capabilities.includes(RELAY_CAPABILITY);
    if (!this.#said.has(node)) {
      this.#said.set(node, 'none');
      this.#babel.handleKnown(node, now);
    }
    if (isRelay === this.#relays.has(nodeId)) return;
    if (isRelay) this.#relays.add(nodeId);
    else this.#relays.delete(nodeId);
    if (this.#neighbours.has(node)) this.#babel.handleFilter(now);
  }

  handleRemoved(node: KnownNode, now: Millis): void {
    this.review(node, now);
    this.#said.delete(node);
    this.#relays.delete(node.description.nodeId);
    this.#seqnos.forget(node.description.nodeId);
    this.#babel.handleForgotten(node);
    this.#distrust.forget(node);
    this.#watch.forget(node);
    this.#babel.handleFilter(now);
  }

  handleMessage(message: Exclude<RoutingMessage, Echo> | BabelMessage, from: KnownNode, now: Millis): void {
    if (!this.#neighbours.has(from)) return this.#context.outbox.drop('babel-from-no-neighbour');
    switch (message.kind) {
      case 'babel':
        return this.#babel.handlePacket(from, message.packet, now);
      case 'seqno-statements':
        for (const statement of message.statements) this.#handleStatement(statement, from, now);
        return;
      case 'seqno-question':
        return this.#babel.handleQuestion(from, message.nodeId);
      case 'path-complaint':
        return this.#handleComplaint(message.nodeId, from, now);
    }
  }

  /** There is traffic for the node. */
  handleActive(node: KnownNode, now: Millis): void {
    this.#watch.handleActive(node, now);
  }

  /** @returns whether it was asked for here */
  handleEcho(node: KnownNode, nonce: bigint, now: Millis): boolean {
    return this.#watch.handleEcho(node, nonce, now);
  }

  /** The tunnel has answered a probe. */
  handleProbed(node: KnownNode, now: Millis): void {
    const { smoothedRtt } = node.tunnel;
    if (smoothedRtt !== undefined && this.#neighbours.has(node)) this.#babel.handleRtt(node, smoothedRtt, now);
  }

  handleTimeout(now: Millis): void {
    for (const node of this.#distrust.handleTimeout(now)) this.#babel.handleTrust(node, now);
    this.#watch.handleTimeout(now);
    this.#babel.handleTimeout(now);
  }

  nextTimeout(): Millis | undefined {
    const wanted = [this.#babel.nextTimeout() ?? Infinity, this.#watch.nextTimeout(), this.#distrust.nextTimeout()];
    const next = Math.min(...wanted);
    return next === Infinity ? undefined : millis(next);
  }

  /** What Babel ignored, by reason. */
  drops(): Record<string, number> {
    return Object.fromEntries(Array.from(this.#babel.drops(), ([reason, count]) => [`babel-${reason}`, count]));
  }

  /** Carries out what Babel says. Tunnels may have something to say after it. */
  drain(now: Millis): void {
    const { outbox } = this.#context;
    const changes: RelayRouteChange[] = [];
    for (const output of drained(this.#watch)) this.#carryOut(output, now);
    for (const output of drained(this.#babel)) {
      if (output.kind === 'route') this.#handleRoute(output, changes, now);
      else this.#send(output);
    }
    if (changes.length > 0) outbox.relayRoutes(changes);
  }

  /** The node's tunnel, or the wish to be neighbours, may have changed. */
  review(node: KnownNode, now: Millis): void {
    const isNeighbour = this.#context.roster.nodes.has(node) && this.#context.neighbours.isNeighbour(node);
    if (!isNeighbour && this.#neighbours.delete(node)) this.#babel.removeNeighbour(node, now);
    if (isNeighbour && !this.#neighbours.has(node) && this.#babel.addNeighbour(node, now)) this.#neighbours.add(node);
    this.#onWay(node, now);
    this.#report(node);
  }

  #send(output: Exclude<BabelLinkOutput, { kind: 'route' }>): void {
    const { outbox } = this.#context;
    switch (output.kind) {
      case 'send':
        return outbox.tunnelSend({ kind: 'babel', packet: output.packet }, output.to);
      case 'tell':
        for (let at = 0; at < output.statements.length; at += MAX_STATEMENTS) {
          const statements = output.statements.slice(at, at + MAX_STATEMENTS);
          outbox.tunnelSend({ kind: 'seqno-statements', statements }, output.to);
        }
        return;
      case 'ask':
        return outbox.tunnelSend({ kind: 'seqno-question', nodeId: output.nodeId }, output.to);
    }
  }

  #carryOut(output: WayWatchOutput, now: Millis): void {
    const { outbox } = this.#context;
    switch (output.kind) {
      case 'echo-request':
        if (output.isNewWay) {
          const publicKey = output.to.description.wireGuardPublicKey;
          outbox.configure({ publicKey, updateOnly: true, repeatInitiation: true });
        }
        return outbox.tunnelSend(output, output.to);
      case 'complain':
        return outbox.tunnelSend({ kind: 'path-complaint', nodeId: output.destination.description.nodeId }, output.to);
      case 'distrust':
        outbox.drop('way-without-echo');
        this.#distrust.add(output.via, output.destination, now);
        return this.#babel.handleTrust(output.destination, now);
      case 'trust':
        if (this.#distrust.lift(output.via, output.destination)) this.#babel.handleTrust(output.destination, now);
    }
  }

  #handleComplaint(nodeId: string, from: KnownNode, now: Millis): void {
    const { outbox, roster } = this.#context;
    const bucket = this.#complaints.get(from) ?? new TokenBucket(COMPLAINT_RATE);
    this.#complaints.set(from, bucket);
    if (!bucket.take(now)) return outbox.drop('complaint-rate-limited');
    const node = roster.nodes.get(nodeId);
    if (node === undefined || node.route?.via === from) return outbox.drop('complaint-groundless');
    if (node.tunnel.isUp) return node.tunnel.handleActive(now);
    const drop = this.#watch.handleComplaint(node, now);
    if (drop !== undefined) outbox.drop(drop);
  }

  #handleStatement(statement: SeqnoStatement, from: KnownNode, now: Millis): void {
    const { nodeId } = statement;
    const taken = this.#seqnos.take(statement, from, now);
    if (typeof taken === 'object') return this.#babel.handleAttested(taken, statement, from, now);
    if (taken !== undefined) this.#context.outbox.drop(taken);
    // Its clock may have been put back: it is to know what it said in an earlier life.
    if (taken === 'statement-stale' && nodeId === from.description.nodeId) this.#babel.handleStale(from, statement);
  }

  /** Tells of a node that is reached over another relay than before, or over none any more. */
  #report(node: KnownNode): void {
    const path = pathOf(node);
    const words =
      path.kind === 'relayed' ? `via ${nodeLabel({ hostName: path.via, nodeId: path.viaNodeId })}` : path.kind;
    const said = this.#said.get(node);
    if (said === undefined || words === said) return;
    this.#said.set(node, words);
    const wasOrIsRelayed = said.startsWith('via') || words.startsWith('via');
    if (wasOrIsRelayed) this.#context.outbox.event('rerouted', node, words);
  }

  #handleRoute(output: BabelLinkOutput & { kind: 'route' }, changes: RelayRouteChange[], now: Millis): void {
    const { destination, via, metric } = output;
    const node = this.#context.roster.nodes.withAddress(destination);
    if (node !== undefined) {
      node.route = via && { via, metric };
      node.tunnel.setRelay(via !== undefined && via !== node, now);
      this.#onWay(node, now);
      this.#report(node);
    }
    changes.push({ destination, via: node && via?.description.wireGuardPublicKey });
  }
}

/** At the other end of the relays to a node. */
export function relayedEndpoint({ description }: KnownNode): Endpoint {
  return endpointOf(description.address, RELAY_PORT);
}

export function pathOf(node: KnownNode): Path {
  if (node.tunnel.isUp) return { kind: 'direct' };
  const { route } = node;
  if (route === undefined || route.via === node) return { kind: 'none' };
  const { hostName, nodeId } = route.via.description;
  return { kind: 'relayed', via: hostName, viaNodeId: nodeId, metric: route.metric };
}
