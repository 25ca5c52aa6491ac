/** What goes into a `MeshNode` and what comes out of it. */
import type { IdentityPrimitives } from '../crypto/primitives.ts';
import type { Endpoint, IpAddress, Prefix } from '../inet/index.ts';
import type { Millis } from '../machine/index.ts';
import type { DeviceChange, PeerState } from '../wireguard/configuration.ts';
import type { OfferedNetwork } from './description.ts';
import type { BootstrapState } from './discovery.ts';
import type { ImportRule } from './entitlement.ts';
import type { NetworkView } from './gateways.ts';
import type { FoundBy } from './known-nodes.ts';
import type { PacketLimit } from './path-mtu/path-mtu.ts';
import type { Notice } from './silence/index.ts';
import type { TrustPolicy } from './trust.ts';
import type { TunnelState } from './tunnel.ts';
import type { HostAddress } from './unproved/index.ts';

export interface NodeOptions {
  readonly meshName: string;
  /** 32 secret bytes. Kept, not copied. */
  readonly identitySeed: Uint8Array;
  readonly wireGuardPublicKey: Uint8Array;
  /** Made by that key for `keyProofMessage` of this node. */
  readonly wireGuardKeyProof: Uint8Array;
  readonly hostName: string;
  /** The last one that `store-sequence` asked to store; 0 if it is not known. */
  readonly storedSequence: number;
  /** The last one that `store-seqno` asked to store; left out if it is not known. */
  readonly storedSeqno?: number | undefined;
  /** The last that `store-memory` asked to store; left out if there is none. */
  readonly memory?: Uint8Array | undefined;
  readonly trust: TrustPolicy;
  readonly bootstrap: readonly Endpoint[];
  /** Whether this node forwards what others send to others. It cannot read it. */
  readonly mayRelay: boolean;
  /** The MTU of the mesh's interface: longer packets are never sent. */
  readonly interfaceMtu: number;
  /** What this node leads to. */
  readonly networks: readonly OfferedNetwork[];
  /** What of the networks of others is believed; nothing else is. */
  readonly imports: readonly ImportRule[];
  readonly primitives: IdentityPrimitives;
  /** For descriptions, whose times others read; everything else goes by `now`. */
  readonly unixTime: () => Millis;
}

/** A link to send beacons on. */
export interface OwnLink {
  readonly index: number;
  readonly name: string;
  /** The link-local addresses of this host there. */
  readonly addresses: readonly IpAddress[];
}

export type NodeInput =
  /** Arrived on the UDP port or from the beacon group. */
  | { readonly kind: 'datagram'; readonly datagram: Uint8Array; readonly from: Endpoint }
  /** Arrived inside the tunnel. */
  | { readonly kind: 'tunnel-datagram'; readonly datagram: Uint8Array; readonly from: IpAddress }
  /** The links to send beacons on. */
  | { readonly kind: 'links'; readonly links: readonly OwnLink[] }
  /** This host's own addresses, with the bound port. */
  | { readonly kind: 'own-endpoints'; readonly endpoints: readonly Endpoint[] }
  /** All addresses that this host has, of whatever scope: nobody is to have us send there. */
  | { readonly kind: 'host-addresses'; readonly addresses: readonly HostAddress[] }
  /** The bootstrap endpoints, resolved again. */
  | { readonly kind: 'bootstrap'; readonly endpoints: readonly Endpoint[] }
  /** What the device says of its peers, about once a second. */
  | { readonly kind: 'peer-states'; readonly peers: readonly PeerState[] }
  /** Traffic goes to this peer: reported about once a second while it does. */
  | { readonly kind: 'peer-active'; readonly publicKey: Uint8Array }
  /** The kernel has refused to send to the endpoint of this peer. */
  | { readonly kind: 'path-error'; readonly publicKey: Uint8Array }
  /** The interface that leads to the endpoint of this peer takes no datagram of the length that was sent. */
  | { readonly kind: 'length-refused'; readonly publicKey: Uint8Array }
  /** Shut down. Nothing comes out after what this input brings out. */
  | { readonly kind: 'leave' };

export type NodeOutput =
  | { readonly kind: 'send'; readonly datagram: Uint8Array; readonly to: Endpoint }
  /** To the beacon group on `link`. */
  | { readonly kind: 'beacon'; readonly datagram: Uint8Array; readonly link: number }
  | { readonly kind: 'tunnel-send'; readonly datagram: Uint8Array; readonly to: IpAddress }
  /** Peers to add, change and remove. */
  | { readonly kind: 'configure'; readonly change: DeviceChange }
  /** The node wants to know the state of a peer now. */
  | { readonly kind: 'ask-device'; readonly publicKey: Uint8Array }
  /** To whom relayed messages for an address go next. */
  | { readonly kind: 'relay-routes'; readonly changes: readonly RelayRouteChange[] }
  /** How long packets to peers may be, on the ways that they take now. */
  | { readonly kind: 'packet-limits'; readonly changes: readonly PacketLimitChange[] }
  /** A route of the host to the mesh's interface, for a network that others lead to. */
  | { readonly kind: 'import-route'; readonly prefix: Prefix; readonly isWanted: boolean }
  /** Comes before the first datagram that uses the sequence number; it should be on disk by then. */
  | { readonly kind: 'store-sequence'; readonly sequence: number }
  /** Newer than all Babel seqnos of this life until the next one is stored. Comes before the first packet that says one. */
  | { readonly kind: 'store-seqno'; readonly seqno: number }
  /** What is known of others, for the next life. */
  | { readonly kind: 'store-memory'; readonly memory: Uint8Array }
  /** The bootstrap endpoint does not answer, is this node itself, or does answer after all. */
  | { readonly kind: 'bootstrap-state'; readonly endpoint: Endpoint; readonly state: BootstrapState }
  | { readonly kind: 'event'; readonly event: NodeEvent }
  | { readonly kind: 'notice'; readonly notice: Notice };

export interface PacketLimitChange extends PacketLimit {
  readonly publicKey: Uint8Array;
}

export interface RelayRouteChange {
  readonly destination: IpAddress;
  /** The WireGuard key of the next hop; `undefined` takes the route away. */
  readonly via: Uint8Array | undefined;
}

/** What an administrator may want to read about a node. */
export interface NodeEvent {
  readonly kind:
    | 'found'
    | 'trusted'
    | 'refused'
    | 'tunnel-up'
    | 'lost'
    /** Its direct path has come and gone too often. */
    | 'unstable'
    | 'left'
    /** Traffic takes another way; `reason` says which. */
    | 'rerouted'
    /** The way to it carries less than this node would send; `reason` says how much. Or all of it, again. */
    | 'path-narrow'
    | 'path-whole'
    /** It has a new WireGuard key, host name or endpoints. */
    | 'updated'
    | 'expired'
    /** Two nodes claim what only one can have; `reason` says what. */
    | 'identity-contradiction'
    /** As many nodes are known as may be; said once. */
    | 'table-full'
    /** Traffic for the network `prefix` goes to this node from now on; `reason` says why. */
    | 'gateway-chosen'
    /** The gateway in use for `prefix` cannot be reached, and there is no other. */
    | 'gateway-cut'
    /** The node offers `prefix` and is not believed; `reason` is a drop reason. */
    | 'offer-refused';
  readonly nodeId: string;
  readonly address: IpAddress;
  /** Printable, but not to be believed. */
  readonly hostName: string;
  readonly endpoint: Endpoint | undefined;
  readonly foundBy: FoundBy;
  readonly reason?: string;
  readonly prefix?: Prefix;
}

export interface NodeStatus {
  readonly self: {
    readonly nodeId: string;
    readonly address: IpAddress;
    readonly hostName: string;
    readonly meshName: string;
    readonly sequence: number;
  };
  readonly nodes: readonly NodeView[];
  readonly bootstraps: readonly { readonly endpoint: Endpoint; readonly state: BootstrapState }[];
  /** What this node offers, and what it imports from others. */
  readonly networks: { readonly offered: readonly OfferedNetwork[]; readonly imported: readonly NetworkView[] };
  /** Datagrams and descriptions that were dropped, by reason. */
  readonly drops: Readonly<Record<string, number>>;
}

/** The way that traffic takes to another node. */
export type Path =
  | { readonly kind: 'direct' }
  /** `via`: the next hop's host name. */
  | { readonly kind: 'relayed'; readonly via: string; readonly viaNodeId: string; readonly metric: number }
  | { readonly kind: 'none' };

/** One other node, as this one sees it. */
export interface NodeView {
  readonly nodeId: string;
  readonly address: IpAddress;
  readonly hostName: string;
  readonly wireGuardPublicKey: Uint8Array;
  readonly sequence: number;
  /** Of its WireGuard peer. */
  readonly endpoint: Endpoint | undefined;
  /** Where it may be reached, the most promising first. */
  readonly candidates: readonly Endpoint[];
  readonly foundBy: FoundBy;
  readonly state: TunnelState;
  /** Whether we keep a direct path to it and speak Babel with it. */
  readonly isNeighbour: boolean;
  readonly path: Path;
  /** Unix time. */
  readonly lastHandshakeAt: Millis | undefined;
  readonly rxBytes: number;
  readonly txBytes: number;
  readonly roundTripTime: Millis | undefined;
  /** The direct path has come and gone too often lately. */
  readonly isUnstable: boolean;
  /** How long packets to it may be; `undefined` while nobody has looked. */
  readonly packetLimit: PacketLimit | undefined;
}
