/** A WireGuard tunnel between two ends in one process: no root, no TUN device, no daemon (docs/library.md). */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { chooseAead, nodePrimitives } from 'wiremesh/crypto';
import { formatAddress, parseEndpoint, parsePrefix } from 'wiremesh/inet';
import { millis } from 'wiremesh/machine';
import { Device } from 'wiremesh/wireguard';

const primitives = nodePrimitives(chooseAead().aead);
const now = () => millis(performance.now());
const header = (from: number, to: number) => [0x45, 0, 0, 24, 0, 0, 0, 0, 64, 253, 0, 0, 10, 0, 0, from, 10, 0, 0, to];

async function openEnd(innerAddress: string, privateKey = primitives.randomBytes(32)) {
  const device = new Device({ primitives, unixTime: () => millis(Date.now()) });
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  const tell = (input: (device: Device) => void) => {
    input(device);
    for (let output = device.poll(); output !== undefined; output = device.poll()) {
      if (output.kind === 'send') socket.send(output.datagram, output.to.port, formatAddress(output.to.address));
      if (output.kind === 'deliver') socket.emit('packet', Buffer.from(output.packet.subarray(20)).toString());
    }
  };
  const endpointOf = (at: { address: string; port: number }) => parseEndpoint(`${at.address}:${at.port}`)!;
  socket.on('message', (datagram, from) => tell(() => device.handleDatagram(datagram, endpointOf(from), now())));
  setInterval(() => tell(() => device.handleTimeout(now())), 100).unref();
  await once(socket, 'listening');
  const allowedIps = [{ prefix: parsePrefix(innerAddress)! }];
  const peer = { publicKey: primitives.publicKey(privateKey), endpoint: endpointOf(socket.address()), allowedIps };
  return { peer, privateKey, socket, tell };
}

const [left, right] = [await openEnd('10.0.0.1'), await openEnd('10.0.0.2')];
left.tell((device) => device.configure({ privateKey: left.privateKey, peers: [right.peer] }, now()));
right.tell((device) => device.configure({ privateKey: right.privateKey, peers: [left.peer] }, now()));
left.tell((device) => device.handlePacket(Buffer.from([...header(1, 2), ...Buffer.from('ping')]), now()));
console.log(`right received ${await once(right.socket, 'packet')}`);
right.tell((device) => device.handlePacket(Buffer.from([...header(2, 1), ...Buffer.from('pong')]), now()));
console.log(`left received ${await once(left.socket, 'packet')}`);
for (const { socket } of [left, right]) socket.close();
