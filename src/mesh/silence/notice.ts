import type { Endpoint, IpAddress } from '../../inet/index.ts';

/** Why a network stays silent, as far as it can be known. None of it is authenticated: it is for people to read. */
export type Notice =
  /** Beacons to the group do not come back on the link, though the kernel loops them back: something drops what comes in. */
  | { readonly kind: 'deaf'; readonly link: number }
  /** Somebody at `from` says Hello and does not answer. */
  | { readonly kind: 'unanswered'; readonly from: Endpoint }
  /** So many addresses, `from` among them, send messages of another mesh, or of another version of the protocol. */
  | { readonly kind: 'foreign-mesh' | 'foreign-version'; readonly senders: number; readonly from: Endpoint }
  /** The node answers Hellos, and no handshake. */
  | { readonly kind: 'refused'; readonly nodeId: string; readonly hostName: string; readonly address: IpAddress }
  /** Nobody has been heard at all. */
  | { readonly kind: 'alone' };
