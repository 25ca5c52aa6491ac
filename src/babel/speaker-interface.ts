/** What goes into a speaker and comes out of it. */
import type { IpAddress, Prefix } from '../inet/index.ts';
import type { Millis } from '../machine/index.ts';
import type { RouterId } from './router-id.ts';

export interface SpeakerOptions {
  readonly routerId: RouterId;
  /**
   * Our first sequence number. It must be newer than those of an earlier life with the same router-id, or neighbours that
   * remember that life believe nothing for minutes.
   */
  readonly seqno: number;
  /** Gives numbers from 0 to 1. */
  readonly chance: () => number;
  /** Which routes are believed. Left out, all of them. */
  readonly filter?: RouteFilter;
  readonly limits?: Partial<Limits>;
}

/** An announcement that is to be believed or not. */
export interface Candidate {
  readonly prefix: Prefix;
  readonly routerId: RouterId;
  readonly seqno: number;
  readonly interface: string;
  readonly neighbour: IpAddress;
}

/** `later`: it may become true. Until then it is as if the update had been lost; what was believed before stays. */
export type Belief = boolean | 'later';

export type RouteFilter = (candidate: Candidate) => Belief;

/** What strangers can make us remember. */
export interface Limits {
  readonly neighboursPerInterface: number;
  readonly routesPerNeighbour: number;
  readonly sources: number;
  readonly pendingRequests: number;
  readonly pendingAcknowledgments: number;
}

export const DEFAULT_LIMITS: Limits = {
  neighboursPerInterface: 64,
  routesPerNeighbour: 4096,
  sources: 16_384,
  pendingRequests: 256,
  pendingAcknowledgments: 256,
};

/** A route that packets are to follow. */
export interface SelectedRoute {
  readonly prefix: Prefix;
  readonly interface: string;
  readonly nextHop: IpAddress;
  readonly metric: number;
  readonly routerId: RouterId;
}

export interface SendOutput {
  readonly kind: 'send';
  readonly interface: string;
  readonly to: IpAddress | 'multicast';
  readonly packet: Uint8Array;
}

export type SpeakerOutput =
  | SendOutput
  | ({ readonly kind: 'route-added' } & SelectedRoute)
  /** Another way, another router, or a metric that differs by a link's cost. */
  | ({ readonly kind: 'route-changed' } & SelectedRoute)
  /** There is no way, and for a while packets must not follow a shorter prefix, lest they come back (RFC 8966 §3.5.4). */
  | { readonly kind: 'route-unreachable'; readonly prefix: Prefix }
  | { readonly kind: 'route-removed'; readonly prefix: Prefix };

/** Why something from the network was ignored. */
export type DropReason =
  | 'unknown-interface'
  | 'source-not-link-local'
  | 'packet-malformed'
  | 'tlv-malformed'
  | 'rate-limited'
  | 'unknown-neighbour'
  | 'too-many-neighbours'
  | 'neighbour-evicted'
  | 'too-many-routes'
  | 'too-many-sources'
  | 'too-many-requests'
  | 'too-many-acknowledgments'
  | 'too-many-answers'
  | 'dump-too-soon'
  | 'seqno-too-soon'
  | 'martian-prefix'
  | 'filtered'
  | 'put-off'
  | 'own-router-id'
  | 'unfeasible';

export interface NeighbourView {
  readonly interface: string;
  readonly address: IpAddress;
  readonly rxcost: number;
  readonly txcost: number;
  /** Of the link; 65535 if it is no way. */
  readonly cost: number;
  /** Smoothed. */
  readonly rtt: Millis | undefined;
  readonly routeCount: number;
}

export interface RouteView extends SelectedRoute {
  readonly neighbour: IpAddress;
  readonly seqno: number;
  readonly isSelected: boolean;
  readonly isFeasible: boolean;
}
