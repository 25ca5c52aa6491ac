/**
 * A node of the mesh: finds the others, exchanges signed descriptions with them, decides whom to trust, keeps a WireGuard
 * peer for each, and says which way its traffic goes. It sees datagrams and the device's state, and says what to send and
 * what to configure. This file puts the parts together: `underlay.ts` speaks outside the tunnel and `overlay.ts` inside,
 * `neighbours.ts` chooses whom to stay close to, `paths.ts` finds the ways, `hole-punching.ts` shorter ones, `imports.ts`
 * those to other networks, `own-news.ts` says what we are.
 */
import type { Endpoint, IpAddress } from '../inet/index.ts';
import { after, millis, seconds, TimerTable, type Machine, type Millis } from '../machine/index.ts';
import type { PeerState } from '../wireguard/configuration.ts';
import { printableHostName } from '../printable.ts';
import { RELAY_CAPABILITY } from './babel-link.ts';
import { readDescription } from './description.ts';
import { domain } from './domain.ts';
import { isDirect } from './endpoints.ts';
import { toHex } from './hex.ts';
import { HolePunching } from './hole-punching.ts';
import { identityFromSeed } from './identity.ts';
import { Imports } from './imports.ts';
import { rememberingProofs } from './key-proof.ts';
import type { KnownNode } from './known-nodes.ts';
import { Remembering, type RestoredNode } from './memory/index.ts';
import { meshTag, type Probe } from './messages.ts';
import { Neighbours } from './neighbours.ts';
import { drained, neighboursOf, type NodeContext } from './node-context.ts';
import type { NodeInput, NodeOptions, NodeOutput, NodeStatus, NodeView } from './node-interface.ts';
import { Outbox } from './outbox.ts';
import { Overlay } from './overlay.ts';
import { OwnDescription } from './own-description.ts';
import { OwnNews } from './own-news.ts';
import { PathMtus } from './path-mtu/index.ts';
import { pathOf, Paths, relayedEndpoint } from './paths.ts';
import { Roster, type Origin } from './roster.ts';
import { Silence } from './silence/index.ts';
import type { TunnelOutput } from './tunnel.ts';
import { Underlay } from './underlay.ts';

/** Refreshes and expiries. */
const HOUSEKEEPING_INTERVAL = seconds(30);

export class MeshNode implements Machine<NodeInput, NodeOutput> {
  readonly nodeId: string;
  readonly address: IpAddress;
  readonly #context: NodeContext;
  readonly #ownNews: OwnNews;
  readonly #paths: Paths;
  readonly #pathMtus: PathMtus;
  readonly #imports: Imports;
  readonly #holePunching: HolePunching;
  readonly #underlay: Underlay;
  readonly #overlay: Overlay;
  readonly #remembering: Remembering;
  readonly #timers = new TimerTable<'housekeeping'>();
  readonly #removed: KnownNode[] = [];
  #life: 'new' | 'running' | 'left' = 'new';

  constructor(options: NodeOptions) {
    this.#context = this.#createContext(options);
    const { nodeId, address } = this.#context.own.current;
    this.nodeId = nodeId;
    this.address = address;
    this.#ownNews = new OwnNews(this.#context);
    this.#pathMtus = new PathMtus(this.#context);
    this.#paths = new Paths(this.#context, (node, now) => this.#pathMtus.review(node, now));
    this.#imports = new Imports(this.#context);
    const listener = {
      handleFetched: this.#handleFetched,
      handleNewsOfSelf: (sequence: number, now: Millis) => this.#ownNews.handle(sequence, now),
      reflexiveEndpoints: (now: Millis) => this.#holePunching.reflexiveEndpoints(now),
      isToldBy: (node: KnownNode, endpoint: Endpoint) =>
        node.tunnel.candidates.isDescribed(endpoint) || this.#holePunching.isTarget(node, endpoint),
    };
    this.#underlay = new Underlay(this.#context, listener);
    this.#holePunching = new HolePunching(this.#context, (to, by, now) => this.#underlay.callUnproved(to, by, now));
    const shared = {
      context: this.#context,
      paths: this.#paths,
      pathMtus: this.#pathMtus,
      holePunching: this.#holePunching,
    };
    this.#overlay = new Overlay({ ...shared, imports: this.#imports, listener });
    const restore = ({ description, nodeId, endpoints }: RestoredNode, now: Millis) => {
      this.#handleFetched(description, nodeId, { foundBy: 'memory' }, now);
      this.#context.roster.nodes.get(nodeId)?.tunnel.candidates.keep(endpoints);
    };
    this.#remembering = new Remembering(this.#context, restore, () => this.#underlay.discovery.answered);
  }

  handle(input: NodeInput, now: Millis): void {
    if (this.#life === 'left') return;
    if (this.#life === 'new') this.#start(now);
    const { outbox, own } = this.#context;
    const { discovery } = this.#underlay;
    switch (input.kind) {
      case 'datagram':
        this.#underlay.handleDatagram(input.datagram, input.from, now);
        break;
      case 'tunnel-datagram':
        this.#overlay.handleDatagram(input.datagram, input.from, now);
        break;
      case 'links':
        this.#underlay.handleLinks(input.links, now);
        break;
      case 'own-endpoints':
        if (own.setEndpoints(input.endpoints)) this.#ownNews.signSoon(now);
        break;
      case 'host-addresses':
        this.#underlay.handleHost(input.addresses);
        break;
      case 'bootstrap':
        discovery.handleBootstrap(input.endpoints, now);
        break;
      case 'peer-states':
        for (const peer of input.peers) this.#handlePeerState(peer, now);
        break;
      case 'peer-active':
        this.#handleActive(input.publicKey, now);
        break;
      case 'path-error':
        this.#context.roster.nodes.withKey(input.publicKey)?.tunnel.handleError(now);
        break;
      case 'length-refused':
        this.#handleLengthRefused(input.publicKey, now);
        break;
      case 'leave':
        this.#remembering.store(now);
        for (const node of neighboursOf(this.#context)) outbox.tunnelSend({ kind: 'leave' }, node);
        this.#life = 'left';
        return;
    }
    this.#drain(now);
  }

  handleTimeout(now: Millis): void {
    if (this.#life !== 'running') return;
    if (this.#timers.expired(now) !== undefined) this.#keepHouse(now);
    if (this.#ownNews.handleTimeout(now)) this.#announceSelf(now);
    this.#underlay.handleTimeout(now);
    this.#context.silence.handleTimeout(now);
    this.#overlay.handleTimeout(now);
    for (const node of this.#context.neighbours.handleTimeout(now)) {
      this.#paths.review(node, now);
      this.#probe(node, { nonce: this.#context.nonce(), isConfirmed: false }, now);
    }
    for (const { tunnel } of this.#context.roster.nodes.values()) tunnel.handleTimeout(now);
    this.#holePunching.handleTimeout(now);
    this.#paths.handleTimeout(now);
    this.#pathMtus.handleTimeout(now);
    this.#imports.handleTimeout(now);
    this.#remembering.handleTimeout(now);
    this.#drain(now);
  }

  poll(): NodeOutput | undefined {
    return this.#context.outbox.poll();
  }

  nextTimeout(): Millis | undefined {
    if (this.#life !== 'running') return undefined;
    const { neighbours, roster, silence } = this.#context;
    const parts = [
      this.#ownNews,
      this.#underlay,
      this.#overlay,
      this.#holePunching,
      this.#paths,
      this.#pathMtus,
      this.#imports,
      this.#remembering,
      neighbours,
      silence,
    ];
    let next = this.#timers.next() ?? Infinity;
    for (const part of parts) next = Math.min(next, part.nextTimeout() ?? Infinity);
    for (const { tunnel } of roster.nodes.values()) next = Math.min(next, tunnel.nextTimeout() ?? Infinity);
    return millis(next);
  }

  status(): NodeStatus {
    const { own, outbox, roster } = this.#context;
    const { hostName, sequence, meshName } = own.current;
    return {
      self: { nodeId: this.nodeId, address: this.address, hostName, meshName, sequence },
      nodes: roster.nodes.values().map((node) => this.#viewOf(node)),
      bootstraps: this.#underlay.discovery.bootstraps,
      networks: { offered: own.current.networks, imported: this.#imports.views() },
      drops: { ...outbox.drops, ...this.#paths.drops() },
    };
  }

  #createContext(options: NodeOptions): NodeContext {
    const { meshName, wireGuardPublicKey, wireGuardKeyProof, storedSequence, unixTime, trust, networks } = options;
    const primitives = { ...options.primitives, verifyKeyProof: rememberingProofs(options.primitives) };
    const identity = identityFromSeed(options.identitySeed, primitives);
    const { nodeId } = identity;
    const hostName = printableHostName(options.hostName);
    const capabilities = options.mayRelay ? [RELAY_CAPABILITY] : [];
    const keys = { wireGuardPublicKey, wireGuardKeyProof };
    const self = { identity, meshName, ...keys, hostName, capabilities, networks };
    const own = new OwnDescription(self, primitives, storedSequence, unixTime());
    const tag = meshTag(meshName, primitives);
    const outbox = new Outbox(tag);
    const nonce = () => viewOf(primitives.randomBytes(8)).getBigUint64(0);
    const roster = new Roster({
      ...{ trust, nonce, outbox },
      own: () => own.current,
      orderOf: (other) => toHex(primitives.sha224(domain([nodeId, other].sort().join()))),
      onRemoved: (node) => void this.#removed.push(node),
    });
    const neighbours = new Neighbours(nodeId, roster.nodes);
    const chance = () => viewOf(primitives.randomBytes(4)).getUint32(0) / 2 ** 32;
    const parts = { outbox, roster, neighbours, silence: new Silence() };
    return { options: { ...options, primitives }, nodeId, tag, own, ...parts, nonce, chance };
  }

  #start(now: Millis): void {
    this.#life = 'running';
    this.#timers.set('housekeeping', after(now, HOUSEKEEPING_INTERVAL));
    this.#overlay.start(now);
    this.#paths.start(now);
    const { discovery } = this.#underlay;
    discovery.handleBootstrap(this.#context.options.bootstrap, now);
    discovery.handleFormer(this.#remembering.start(now), now);
  }

  readonly #handleFetched = (
    bytes: Uint8Array | string | undefined,
    nodeId: string,
    origin: Origin,
    now: Millis,
  ): void => {
    if (bytes === undefined) return;
    const { options, outbox, roster, neighbours } = this.#context;
    if (typeof bytes === 'string') return outbox.drop(bytes);
    const description = readDescription(bytes, options.meshName, options.primitives, options.unixTime());
    if (typeof description === 'string') return outbox.drop(description);
    if (description.nodeId !== nodeId) return outbox.drop('description-of-another-node');
    const node = roster.admit(description, origin, now);
    if (node === undefined) return;
    // Whoever has handed the description over need not be its node: now that its key is known, it can show that it is.
    if (origin.endpoint !== undefined) this.#underlay.call(origin.endpoint, now);
    this.#paths.handleDescribed(node, now);
    this.#imports.handleDescribed(node, now);
    neighbours.reviewSoon(now);
    // Who was known in an earlier life was known to the others, too.
    const isNews = origin.foundBy !== 'memory' && node.standing.kind !== 'claimed';
    if (isNews) this.#overlay.flood(description, origin.neighbour);
  };

  #announceSelf(now: Millis): void {
    this.#overlay.flood(this.#context.own.current);
    if (this.#ownNews.isContested) this.#underlay.discovery.hurry(now);
  }

  // The device and the clock

  #handlePeerState({ publicKey, endpoint, lastHandshakeAt, rxBytes, txBytes }: PeerState, now: Millis): void {
    const node = this.#context.roster.nodes.withKey(publicKey);
    if (node === undefined) return;
    const { tunnel } = node;
    const hasNewSession = lastHandshakeAt !== undefined && lastHandshakeAt !== node.traffic.lastHandshakeAt;
    const wasDirect = isDirect(node.endpoint);
    node.endpoint = endpoint ?? node.endpoint;
    node.traffic = { lastHandshakeAt, rxBytes, txBytes };
    if (!isDirect(node.endpoint)) {
      if (node.endpoint !== undefined) tunnel.handleMisdirected(now);
    } else if (hasNewSession || !wasDirect) tunnel.handleSession(now);
    this.#pathMtus.review(node, now);
  }

  #handleLengthRefused(publicKey: Uint8Array, now: Millis): void {
    const node = this.#context.roster.nodes.withKey(publicKey);
    if (node !== undefined) this.#pathMtus.handleRefused(node, now);
  }

  /** What is relayed to the node is traffic of the next hop, too. */
  #handleActive(publicKey: Uint8Array, now: Millis): void {
    const node = this.#context.roster.nodes.withKey(publicKey);
    if (node === undefined) return;
    node.tunnel.handleActive(now);
    this.#pathMtus.handleActive(node, now);
    if (node.tunnel.isUp || node.route === undefined) return;
    node.route.via.tunnel.handleActive(now);
    this.#paths.handleActive(node, now);
    if (node.firstContact.handleActive(node.traffic.lastHandshakeAt !== undefined)) {
      this.#context.outbox.configure({ publicKey, updateOnly: true, repeatInitiation: true });
    }
    this.#holePunching.handleActive(node, now);
  }

  #keepHouse(now: Millis): void {
    const { options, own, outbox, roster } = this.#context;
    const unixNow = options.unixTime();
    if (own.mustRefresh(unixNow)) {
      this.#ownNews.sign(now);
      this.#announceSelf(now);
    }
    roster.forgetClaims(now);
    for (const node of roster.nodes.values()) {
      if (node.description.expiresAt > unixNow) continue;
      outbox.event('expired', node);
      roster.remove(node);
    }
    this.#timers.set('housekeeping', after(now, HOUSEKEEPING_INTERVAL));
  }

  // What goes out

  #drain(now: Millis): void {
    for (const node of this.#removed.splice(0)) {
      this.#paths.handleRemoved(node, now);
      this.#pathMtus.handleRemoved(node);
      this.#imports.handleRemoved(node, now);
    }
    // A tunnel that is lost takes routes away, and a route that changes is a reason for other tunnels to move.
    do this.#paths.drain(now);
    while (this.#drainTunnels(now));
    this.#pathMtus.drain();
    this.#imports.drain(now);
    this.#holePunching.drain(now);
    this.#underlay.drain(now);
    this.#overlay.drain();
    for (const notice of drained(this.#context.silence)) this.#context.outbox.notice(notice);
  }

  /** @returns whether there was anything */
  #drainTunnels(now: Millis): boolean {
    let hasOutput = false;
    for (const node of this.#context.roster.nodes.values()) {
      if (!node.tunnel.hasOutput) continue;
      hasOutput = true;
      for (const output of drained(node.tunnel)) this.#handleTunnelOutput(output, node, now);
      this.#paths.review(node, now);
    }
    return hasOutput;
  }

  #handleTunnelOutput(output: TunnelOutput, node: KnownNode, now: Millis): void {
    const { outbox, neighbours, silence, options } = this.#context;
    switch (output.kind) {
      case 'hello':
        return this.#underlay.callUnproved(output.to, node, now);
      case 'endpoint':
        return this.#setEndpoint(node, output.endpoint);
      case 'relay':
        return this.#setEndpoint(node, relayedEndpoint(node));
      case 'probe':
        return this.#probe(node, output, now);
      case 'up':
        outbox.event('tunnel-up', node);
        this.#remembering.handleNews(now);
        silence.handleUp(node);
        if (this.#context.roster.prove(node)) this.#overlay.flood(node.description);
        return this.#overlay.compare(node);
      case 'lost':
        outbox.event('lost', node);
        neighbours.handleLost(node, now);
        return this.#underlay.discovery.handleLost(node.description.nodeId, now);
      case 'unstable':
        return outbox.event('unstable', node);
      case 'failed':
        silence.handleFailed(node, now, options.unixTime());
        return neighbours.reviewSoon(now);
      case 'idle':
    }
  }

  #setEndpoint(node: KnownNode, endpoint: Endpoint): void {
    node.endpoint = endpoint;
    const publicKey = node.description.wireGuardPublicKey;
    this.#context.outbox.configure({ publicKey, updateOnly: true, endpoint });
  }

  #probe(node: KnownNode, { nonce, isConfirmed }: Pick<Probe, 'nonce' | 'isConfirmed'>, now: Millis): void {
    const { relation, tunnel } = node;
    const isInterested = tunnel.hasReason(now);
    const probe = { kind: 'probe', nonce, wish: relation.ours, isInterested, isConfirmed } as const;
    this.#context.outbox.tunnelSend(probe, node);
  }

  #viewOf(node: KnownNode): NodeView {
    const { description, endpoint, foundBy, tunnel, traffic } = node;
    const { nodeId, address, hostName, wireGuardPublicKey, sequence } = description;
    return {
      ...{ nodeId, address, hostName, wireGuardPublicKey, sequence, endpoint, foundBy, ...traffic },
      candidates: tunnel.candidates.list(),
      state: tunnel.state,
      isNeighbour: this.#context.neighbours.isNeighbour(node),
      path: pathOf(node),
      roundTripTime: tunnel.smoothedRtt,
      isUnstable: tunnel.isUnstable,
      packetLimit: node.pathMtu.way && node.pathMtu.limit,
    };
  }
}

function viewOf({ buffer, byteOffset }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset);
}
