/**
 * What Node lacks of Linux: TUN devices, UDP sockets with segmentation offload, epoll, eventfd, network namespaces,
 * links and routes. Specified by the manual pages: tun (kernel documentation networking/tuntap), udp(7), ip(7), ipv6(7),
 * epoll(7), eventfd(2), network_namespaces(7), rtnetlink(7), packet(7), ip(8).
 *
 * Another platform is a sibling of this folder that implements `Tun` and `UdpSocket` (docs/library.md, "the seam").
 * Nothing here knows a protocol.
 * Names (DNS), firewalls and what Node does well (TCP, Unix sockets, files) are not here.
 */
export { EAGAIN, EMSGSIZE, errnoName, PlatformError, SystemCallError, watchReadable } from './syscall.ts';
export { NativeBuffer } from './native-buffer.ts';
export { InterfaceNameError, interfaceName } from './interface-name.ts';
export {
  currentName,
  inNamespaceOf,
  openTun,
  openTunQueues,
  PieceList,
  tunOf,
  TunError,
  type Tun,
  type TunOffloads,
} from './tun.ts';
export * from './tap.ts';
export { SocketAddress } from './socket-address.ts';
export {
  MAX_SEGMENTS,
  MAX_TRAIN_BYTES,
  openSharedUdpSocket,
  openUdpPair,
  openUdpSocket,
  PortInUseError,
  udpSocketOf,
  type UdpSocket,
} from './udp.ts';
export * from './datagram-filter.ts';
export { openSendOnly, openUdpGroup } from './udp-group.ts';
export * from './default-route.ts';
export * from './epoll.ts';
export * from './boot-clock.ts';
export * from './eventfd.ts';
export * from './file-lock.ts';
export * from './core-dumps.ts';
export * from './real-time.ts';
export * from './interface-settings.ts';
export * from './ip-batch.ts';
export * from './link.ts';
export * from './route.ts';
export * from './rule.ts';
export * from './netns.ts';
export * from './netfilter/index.ts';
export type { Link, LinkAddress, RouteMessage } from './rtnetlink.ts';
export type { HostRoute, HostRule } from './fib-messages.ts';
export {
  AddressMonitor,
  LinkMonitor,
  listAddresses,
  listLinks,
  type AddressChange,
  type LinkChange,
} from './link-monitor.ts';
export * from './routing-monitor.ts';
export * from './packet-socket.ts';
export * from './icmp-socket.ts';
