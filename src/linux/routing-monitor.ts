import { routesRequest, rulesRequest, type HostRoute, type HostRule } from './fib-messages.ts';
import { DATAGRAM_BYTES, NETLINK_ROUTE, openRouteSocket, readMessages } from './link-monitor.ts';
import { NetlinkSocket } from './netlink-socket.ts';
import type { RouteMessage } from './rtnetlink.ts';
import { errnoName, SystemCallError } from './syscall.ts';

/** `1 << (RTNLGRP_… - 1)` of links, and of addresses, routes and rules of both families. */
const GROUPS = 0x1 | 0x10 | 0x100 | 0x40 | 0x400 | 0x80 | 0x40000;

/** The routes to an interface, of all tables, in the calling thread's network namespace. @throws SystemCallError */
export function listRoutesTo(interfaceIndex: number): HostRoute[] {
  return ask([4, 6].map((family) => routesRequest(family as 4 | 6, interfaceIndex)))
    .flatMap((message) => (message.kind === 'route' ? [message.route] : []))
    .filter((route) => route.interfaceIndex === interfaceIndex);
}

/** The rules of the calling thread's network namespace. @throws SystemCallError */
export function listRules(): HostRule[] {
  return ask([4, 6].map((family) => rulesRequest(family as 4 | 6))).flatMap((message) =>
    message.kind === 'rule' ? [message.rule] : [],
  );
}

/**
 * Tells of whatever changes in the links, addresses, routes and rules of the network namespace it was opened in. Not all
 * that goes is told: with an interface that is switched off its IPv4 routes go without a word.
 */
export class RoutingMonitor {
  readonly #socket = openRouteSocket(GROUPS);

  /** Readable when there is something to read; -1 once closed. */
  get fd(): number {
    return this.#socket.fd;
  }

  /** @returns false where changes came faster than they were read: then anything may have changed */
  read(onChange: (change: RouteMessage) => void): boolean {
    return readMessages(this.#socket, onChange);
  }

  close(): void {
    this.#socket.close();
  }
}

/** One dump after the other. A family that the kernel does not have has nothing to list. */
function ask(requests: readonly Uint8Array[]): RouteMessage[] {
  const socket = new NetlinkSocket({
    ...{ protocol: NETLINK_ROUTE, groups: 0, datagramBytes: DATAGRAM_BYTES, subject: 'rtnetlink', isStrict: true },
  });
  try {
    return requests.flatMap((request) => {
      socket.send(request);
      const messages: RouteMessage[] = [];
      readMessages(socket, (message) => messages.push(message));
      const failed = messages.find((message) => message.kind === 'error');
      if (failed === undefined) return messages;
      const errno = errnoName(failed.errno);
      if (errno === 'EOPNOTSUPP' || errno === 'EAFNOSUPPORT') return [];
      throw new SystemCallError('sendto', errno, 'the list of routes and rules');
    });
  } finally {
    socket.close();
  }
}
