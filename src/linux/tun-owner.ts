import { check, libc } from './syscall.ts';

const TUNSETOWNER = 0x400454cc;
const TUNSETGROUP = 0x400454ce;

/**
 * Keeps other users from attaching to the TUN or TAP device behind `fd`. A device without an owner is everybody's: Linux
 * asks for CAP_NET_ADMIN only of those who are not its owner, and takes anybody for the owner of a device that has none.
 * With several queues (IFF_MULTI_QUEUE) any local user could add a queue of his own, read what the host sends into the
 * tunnel, and write what the host takes for a peer's.
 * @throws SystemCallError
 */
export function ownTun(fd: number, name: string): void {
  const subject = `TUN device ${name}`;
  check(libc.ioctl(fd, TUNSETOWNER, process.geteuid?.() ?? 0), 'ioctl', subject);
  check(libc.ioctl(fd, TUNSETGROUP, process.getegid?.() ?? 0), 'ioctl', subject);
}
