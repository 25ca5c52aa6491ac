/**
 * A local user without rights who tries to attach to a TUN device: `node tun-attacker.js INTERFACE MILLISECONDS`. It says
 * "ready" before it tries, and at the end with which flags it got hold of the device, and which errors it met.
 */
import { Buffer } from 'node:buffer';
import koffi from 'koffi';

const libc = koffi.load(null);
const open = libc.func('int open(const char *, int)') as (path: string, flags: number) => number;
const close = libc.func('int close(int)') as (fd: number) => number;
const ioctl = libc.func('int ioctl(int, unsigned long, void *)') as (fd: number, request: number, r: Buffer) => number;

const TUNSETIFF = 0x400454ca;
const IFF_NO_PI = 0x1000;
const IFF_MULTI_QUEUE = 0x0100;
const IFF_VNET_HDR = 0x4000;
const KINDS = [0x0001, 0x0002].flatMap((kind) => [
  kind | IFF_NO_PI,
  kind | IFF_NO_PI | IFF_MULTI_QUEUE,
  kind | IFF_NO_PI | IFF_MULTI_QUEUE | IFF_VNET_HDR,
]);
const NOBODY = 65534;

const [name, duration] = process.argv.slice(2);
process.setgroups?.([]);
process.setgid?.(NOBODY);
process.setuid?.(NOBODY);
process.stdout.write('ready\n');

const attached: string[] = [];
const errors = new Set<number>();
for (const end = performance.now() + Number(duration); performance.now() < end && attached.length === 0;) {
  for (const flags of KINDS) {
    const fd = open('/dev/net/tun', 2);
    const request = Buffer.alloc(40);
    request.write(name, 'latin1');
    request.writeUInt16LE(flags, 16);
    if (fd >= 0 && ioctl(fd, TUNSETIFF, request) === 0) attached.push(`0x${flags.toString(16)}`);
    else errors.add(koffi.errno());
    if (fd >= 0 && attached.length === 0) close(fd);
  }
}
process.stdout.write(`${JSON.stringify({ attached, errors: [...errors] })}\n`);
