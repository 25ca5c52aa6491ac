import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { TUNNEL_PORT } from '../device/index.ts';
import { formatAddress, parseAddress, type IpAddress } from '../inet/index.ts';
import { listLinks } from '../linux/index.ts';
import { TunnelSocket } from './tunnel-socket.ts';

const LOOPBACK = parseAddress('::1') as IpAddress;

describe('the socket for messages inside the tunnel', () => {
  const loopbackIndex = listLinks().find(({ isLoopback }) => isLoopback)?.index as number;

  it('says whose address a datagram came from', async () => {
    const received = await new Promise((resolve) => {
      const socket = new TunnelSocket(loopbackIndex, (datagram, from) => {
        socket.close();
        resolve([...datagram, formatAddress(from)]);
      });
      socket.send(Uint8Array.of(1, 2, 3), LOOPBACK);
    });
    assert.deepEqual(received, [1, 2, 3, '::1']);
  });

  it('drops what came in on another interface than the tunnel, or from another port: anybody could have sent it', async () => {
    const received: Uint8Array[] = [];
    const elsewhere = new TunnelSocket(loopbackIndex + 1_000, (datagram) => received.push(datagram));
    elsewhere.send(Uint8Array.of(1), LOOPBACK);
    // It is in the socket's queue when send returns; the event loop has seen it when a later datagram was seen.
    const witness = createSocket('udp6').bind(0, '::1');
    await once(witness, 'listening');
    witness.send(Uint8Array.of(2), TUNNEL_PORT, '::1');
    witness.send(Uint8Array.of(3), witness.address().port, '::1');
    await once(witness, 'message');
    elsewhere.close();
    assert.equal(received.length, 0);
    const fromOtherPort = new TunnelSocket(loopbackIndex, (datagram) => received.push(datagram));
    witness.send(Uint8Array.of(4), TUNNEL_PORT, '::1');
    witness.send(Uint8Array.of(5), witness.address().port, '::1');
    await once(witness, 'message');
    fromOtherPort.close();
    witness.close();
    assert.equal(received.length, 0);
  });
});
