import { NetlinkSocket } from './netlink-socket.ts';
import { dumpRequest, readRouteMessages, type Link, type LinkAddress, type RouteMessage } from './rtnetlink.ts';
import { errnoName, SystemCallError } from './syscall.ts';

export const NETLINK_ROUTE = 0;
const RTMGRP_LINK = 0x1;
const RTMGRP_IPV4_IFADDR = 0x10;
const RTMGRP_IPV6_IFADDR = 0x100;

/** One datagram of a dump is 32 KiB at most. */
export const DATAGRAM_BYTES = 1 << 16;

export interface LinkChange extends Link {
  readonly removed: boolean;
}

export interface AddressChange extends LinkAddress {
  readonly removed: boolean;
}

/** The links of the calling thread's network namespace. @throws SystemCallError */
export function listLinks(): Link[] {
  return dump('links').flatMap((message) => (message.kind === 'link' ? [message.link] : []));
}

/** The addresses of all links of the calling thread's network namespace. @throws SystemCallError */
export function listAddresses(): LinkAddress[] {
  return dump('addresses').flatMap((message) => (message.kind === 'address' ? [message.address] : []));
}

/**
 * Tells when links of the network namespace it was opened in come, go or change. Where changes came faster than they
 * were read, all links that there are now are told.
 */
export class LinkMonitor {
  readonly #socket = openRouteSocket(RTMGRP_LINK);

  /** Readable when there is something to read; -1 once closed. */
  get fd(): number {
    return this.#socket.fd;
  }

  read(onChange: (change: LinkChange) => void): void {
    const complete = readMessages(this.#socket, (message) => {
      if (message.kind === 'link') onChange({ ...message.link, removed: message.removed });
    });
    if (!complete) for (const link of listLinks()) onChange({ ...link, removed: false });
  }

  close(): void {
    this.#socket.close();
  }
}

/** The same for addresses. */
export class AddressMonitor {
  readonly #socket = openRouteSocket(RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);

  get fd(): number {
    return this.#socket.fd;
  }

  read(onChange: (change: AddressChange) => void): void {
    const complete = readMessages(this.#socket, (message) => {
      if (message.kind === 'address') onChange({ ...message.address, removed: message.removed });
    });
    if (!complete) for (const address of listAddresses()) onChange({ ...address, removed: false });
  }

  close(): void {
    this.#socket.close();
  }
}

/** The kernel answers a dump while it is asked, so nothing is waited for. */
function dump(what: 'links' | 'addresses'): RouteMessage[] {
  const socket = openRouteSocket(0);
  try {
    socket.send(dumpRequest(what));
    const messages: RouteMessage[] = [];
    readMessages(socket, (message) => messages.push(message));
    const failed = messages.find((message) => message.kind === 'error');
    if (failed !== undefined) throw new SystemCallError('sendto', errnoName(failed.errno), `the list of ${what}`);
    return messages;
  } finally {
    socket.close();
  }
}

export function openRouteSocket(groups: number): NetlinkSocket {
  return new NetlinkSocket({ protocol: NETLINK_ROUTE, groups, datagramBytes: DATAGRAM_BYTES, subject: 'rtnetlink' });
}

/** @returns false if the kernel had to leave something out */
export function readMessages(socket: NetlinkSocket, onMessage: (message: RouteMessage) => void): boolean {
  return socket.read((datagram) => readRouteMessages(datagram).forEach(onMessage));
}
