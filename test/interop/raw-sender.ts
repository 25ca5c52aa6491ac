/**
 * Sends IPv6 packets that somebody made up, headers and all: `node raw-sender.js COUNT INTERFACE-INDEX HEX…`. The kernel
 * routes them by their destination (a link-local one on that interface) and believes the rest.
 */
import { Buffer } from 'node:buffer';
import koffi from 'koffi';

const libc = koffi.load(null);
const socket = libc.func('int socket(int, int, int)') as (family: number, type: number, protocol: number) => number;
const sendto = libc.func('int sendto(int, void *, size_t, int, void *, uint32_t)') as (
  ...values: [fd: number, packet: Buffer, length: number, flags: number, to: Buffer, toLength: number]
) => number;

const AF_INET6 = 10;
const SOCK_RAW = 3;
const IPPROTO_RAW = 255;
const DESTINATION = 24;
/** In `struct sockaddr_in6`. */
const SCOPE_ID = 24;

const [count, interfaceIndex, ...packets] = process.argv.slice(2);
const fd = socket(AF_INET6, SOCK_RAW, IPPROTO_RAW);
let sent = 0;
for (let i = 0; i < Number(count); i++) {
  for (const hex of packets) {
    const packet = Buffer.from(hex, 'hex');
    const to = Buffer.alloc(28);
    to.writeUInt16LE(AF_INET6, 0);
    packet.copy(to, 8, DESTINATION, DESTINATION + 16);
    to.writeUInt32LE(Number(interfaceIndex), SCOPE_ID);
    if (sendto(fd, packet, packet.length, 0, to, to.length) > 0) sent++;
  }
}
process.stdout.write(`${sent} sent\n`);
