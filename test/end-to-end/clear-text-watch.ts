/**
 * Prints each packet that comes in on an interface and is neither WireGuard's nor of the link itself (ARP, neighbour
 * discovery, beacons): what a host that sends everything through its mesh has let out in the clear. Ends with its process.
 *   node clear-text-watch.js LINK WIREGUARD-PORT
 */
import { listLinks, NativeBuffer, PacketSocket } from '../../src/linux/index.ts';

const ETHERNET = 14;
const ETHERTYPE = { 0x0800: 4, 0x86dd: 6 } as const;
const UDP = 17;

const [name, port] = [process.argv[2], Number(process.argv[3])];
const link = listLinks().find((other) => other.name === name);
if (link === undefined) throw new Error(`no interface ${name}`);
const socket = new PacketSocket(link);
socket.setReceiveBuffer(32 << 20);
const frame = new NativeBuffer(2048);
setInterval(() => {
  for (let length = socket.read(frame); length > 0; length = socket.read(frame)) {
    const words = socket.packetType === 'outgoing' ? undefined : clearText(frame.view);
    if (words !== undefined) console.log(`in the clear: ${words}`);
  }
}, 20);
console.log('watching');

/** @returns the packet in words, or `undefined` where it may be there */
function clearText(view: DataView): string | undefined {
  const family = ETHERTYPE[view.getUint16(12) as keyof typeof ETHERTYPE];
  if (family === undefined) return undefined;
  const at = ETHERNET;
  const [protocol, transport, to, size] =
    family === 4
      ? [view.getUint8(at + 9), at + (view.getUint8(at) & 15) * 4, at + 16, 4]
      : [view.getUint8(at + 6), at + 40, at + 24, 16];
  const destination = new Uint8Array(view.buffer, view.byteOffset + to, size);
  if (isOfLink(destination)) return undefined;
  if (protocol === UDP && [view.getUint16(transport), view.getUint16(transport + 2)].includes(port)) return undefined;
  return `IPv${family} protocol ${protocol} to ${Buffer.from(destination).toString('hex')}`;
}

function isOfLink(destination: Uint8Array): boolean {
  if (destination.length === 4) return destination[0] >= 224;
  return destination[0] === 0xff || (destination[0] === 0xfe && (destination[1] & 0xc0) === 0x80);
}
