/** What the data path dropped, and why. */
export interface PathCounters {
  /** Packets from the TUN device that made no sense. */
  malformedOutbound: number;
  /** Packets whose destination is no peer's allowed IP. */
  noRoute: number;
  /** Our own datagrams, which a route led back into their tunnel. */
  routingLoop: number;
  keypairExhausted: number;
  /** Trains that the network refused. */
  sendErrors: number;
  /** Trains for a peer for whom enough waits already: the link there takes less than is sent (`SendLanes`). */
  sendQueueFull: number;
  /** Packets too long for a datagram, or for a way over relays; the host was told. */
  packetTooBig: number;
  /** Packets from the TUN device on a port of the mesh's own: the host, or somebody whom it forwards, acts the node. */
  hostOnMeshPort: number;
  /** Relay packets of a peer that are none. */
  relayMalformed: number;
  /** Relay packets for others, while this node does not forward. */
  relayRefused: number;
  relayHopLimit: number;
  /** Handshake messages in relay packets, beyond what one neighbour may bring in a second. */
  relayHandshakeFlood: number;
  /** To a node that no route leads to. */
  relayNoRoute: number;
  /** The route leads back to where the packet came from (split horizon). */
  relaySplitHorizon: number;
  /** Relay packets that came over a relay, or whose next hop is itself behind one. */
  relayNested: number;
  /** Transport messages of no session, or that failed authentication or the replay window. */
  unauthenticated: number;
  /** Handshake messages without a cookie, under load, from sources that know how to get one. */
  handshakeFlood: number;
  /** On the port of tunnel messages, but of another form, for somebody else, or not of the peer itself. */
  tunnelMessageMalformed: number;
  /** Tunnel messages beyond the rate that is passed on. */
  tunnelMessageRateExceeded: number;
  /** Decrypted, but not an IP packet. */
  malformedInbound: number;
  /** Decrypted, but its source is not among the peer's allowed IPs. */
  sourceNotAllowed: number;
  /** Decrypted, but of a link, or with headers that name another source or destination (src/packet/out-of-place.ts). */
  outOfPlace: number;
  /** ICMP errors about packets to an address that the peer may not send from. */
  errorAboutOthers: number;
  /** The network reported congestion to a sender that does not understand it (RFC 6040 §4.2). */
  congestionUnheard: number;
  /** Packets that the TUN device refused. */
  deliveryErrors: number;
  /** Neither of WireGuard nor control messages. */
  controlMalformed: number;
  /** Control messages beyond the rate that is passed on. */
  controlRateExceeded: number;
  /** Datagrams that the sockets' filter refused, or that came while their queue was full. */
  droppedByKernel: number;
}

export function pathCounters(): PathCounters {
  return {
    malformedOutbound: 0,
    noRoute: 0,
    routingLoop: 0,
    keypairExhausted: 0,
    sendErrors: 0,
    sendQueueFull: 0,
    packetTooBig: 0,
    hostOnMeshPort: 0,
    relayMalformed: 0,
    relayRefused: 0,
    relayHopLimit: 0,
    relayHandshakeFlood: 0,
    relayNoRoute: 0,
    relaySplitHorizon: 0,
    relayNested: 0,
    unauthenticated: 0,
    handshakeFlood: 0,
    tunnelMessageMalformed: 0,
    tunnelMessageRateExceeded: 0,
    malformedInbound: 0,
    sourceNotAllowed: 0,
    outOfPlace: 0,
    errorAboutOthers: 0,
    congestionUnheard: 0,
    deliveryErrors: 0,
    controlMalformed: 0,
    controlRateExceeded: 0,
    droppedByKernel: 0,
  };
}

/** How many datagrams came that a flood could consist of. */
export function refusedDatagrams(counters: PathCounters): number {
  const { unauthenticated, handshakeFlood, controlMalformed, controlRateExceeded } = counters;
  return unauthenticated + handshakeFlood + controlMalformed + controlRateExceeded;
}
