/** What a node wants done, in order, until somebody polls it; and the count of what it ignored. */
import type { Endpoint, Prefix } from '../inet/index.ts';
import type { PeerChange } from '../wireguard/configuration.ts';
import type { BootstrapState } from './discovery.ts';
import type { KnownNode } from './known-nodes.ts';
import { fragmentsOf } from './message-fragment.ts';
import { FRAGMENT_PACKET_BYTES, writeMessage, type Message } from './messages.ts';
import type { NodeEvent, NodeOutput, PacketLimitChange, RelayRouteChange } from './node-interface.ts';
import type { Notice } from './silence/index.ts';

/** Of IPv6 and UDP. */
const TUNNEL_HEADER_BYTES = 48;

export class Outbox {
  readonly #tag: Uint8Array;
  readonly #output: NodeOutput[] = [];
  readonly #drops: Record<string, number> = {};
  #fragmentId = 0;

  /** `tag`: of the mesh that messages are for. */
  constructor(tag: Uint8Array) {
    this.#tag = tag;
  }

  get drops(): Record<string, number> {
    return { ...this.#drops };
  }

  poll(): NodeOutput | undefined {
    return this.#output.shift();
  }

  send(message: Message, to: Endpoint): void {
    this.#output.push({ kind: 'send', datagram: writeMessage(message, this.#tag), to });
  }

  beacon(message: Message, link: number): void {
    this.#output.push({ kind: 'beacon', datagram: writeMessage(message, this.#tag), link });
  }

  /** What is longer than the path to the node carries is cut, unless it asks whether it passes. */
  tunnelSend(message: Message, node: Pick<KnownNode, 'description' | 'pathMtu'>): void {
    const datagram = writeMessage(message, this.#tag);
    const { mtu, isProved } = node.pathMtu.limit;
    const isTooLong = isProved && message.kind !== 'echo-request' && datagram.length > mtu - TUNNEL_HEADER_BYTES;
    if (!isTooLong) return this.#tunnelSend(datagram, node);
    this.#fragmentId = (this.#fragmentId + 1) >>> 0;
    for (const fragment of fragmentsOf(datagram, this.#fragmentId, mtu - FRAGMENT_PACKET_BYTES)) {
      this.#tunnelSend(writeMessage(fragment, this.#tag), node);
    }
  }

  #tunnelSend(datagram: Uint8Array, { description }: Pick<KnownNode, 'description'>): void {
    this.#output.push({ kind: 'tunnel-send', datagram, to: description.address });
  }

  configure(...peers: PeerChange[]): void {
    this.#output.push({ kind: 'configure', change: { peers } });
  }

  /** Its state may have changed. */
  askDevice({ description }: KnownNode): void {
    this.#output.push({ kind: 'ask-device', publicKey: description.wireGuardPublicKey });
  }

  relayRoutes(changes: readonly RelayRouteChange[]): void {
    this.#output.push({ kind: 'relay-routes', changes });
  }

  packetLimit(change: PacketLimitChange): void {
    this.#output.push({ kind: 'packet-limits', changes: [change] });
  }

  importRoute(prefix: Prefix, isWanted: boolean): void {
    this.#output.push({ kind: 'import-route', prefix, isWanted });
  }

  storeSequence(sequence: number): void {
    this.#output.push({ kind: 'store-sequence', sequence });
  }

  storeSeqno(seqno: number): void {
    this.#output.push({ kind: 'store-seqno', seqno });
  }

  bootstrap(endpoint: Endpoint, state: BootstrapState): void {
    this.#output.push({ kind: 'bootstrap-state', endpoint, state });
  }

  storeMemory(memory: Uint8Array): void {
    this.#output.push({ kind: 'store-memory', memory });
  }

  event(
    kind: NodeEvent['kind'],
    about: Pick<KnownNode, 'description' | 'endpoint' | 'foundBy'>,
    reason?: string,
    prefix?: Prefix,
  ): void {
    const { description, endpoint, foundBy } = about;
    const { nodeId, address, hostName } = description;
    const said = { ...(reason !== undefined && { reason }), ...(prefix && { prefix }) };
    const event = { kind, nodeId, address, hostName, endpoint, foundBy, ...said };
    this.#output.push({ kind: 'event', event });
  }

  notice(notice: Notice): void {
    this.#output.push({ kind: 'notice', notice });
  }

  drop(reason: string): void {
    this.#drops[reason] = (this.#drops[reason] ?? 0) + 1;
  }
}
