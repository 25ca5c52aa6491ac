/** What the outer IP header says: DSCP, ECN (RFC 6040) and the source address. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { formatAddress, addressFromBytes } from '../../src/inet/index.ts';
import { inNamespace, listLinks, namespacePath, NativeBuffer, PacketSocket } from '../../src/linux/index.ts';
import { twoHosts, type Host } from './hosts.ts';
import { introduce, openTunnel, removePeer, setPeer, shown, tearDown, type TunnelEnd } from './tunnel.ts';
import { ping } from './traffic.ts';

const ETHERNET_HEADER = 14;
const TRANSPORT_DATA = 4;
/** Assured forwarding 41. */
const HANDSHAKE_CLASS = 0x88;
const EXPEDITED_FORWARDING = 0xb8;
const CONGESTION_EXPERIENCED = 3;
const CAPABLE_0 = 2;

/** Has the receiver's host mark all datagrams that come in, as a router on the way would. */
const MARK_CONGESTION = `
table inet congestion {
  chain prerouting {
    type filter hook prerouting priority raw;
    udp dport 51822 ip ecn set ce
    udp dport 51822 ip6 ecn set ce
  }
}`;

interface OuterHeader {
  readonly source: string;
  readonly trafficClass: number;
  readonly messageType: number;
  readonly messageLength: number;
}

describe('the outer header', () => {
  let hosts: [Host, Host];
  let ends: [TunnelEnd, TunnelEnd];
  let ours: TunnelEnd;
  let theirs: TunnelEnd;

  before(async () => {
    hosts = await twoHosts();
    ends = await openTunnel(hosts, { implementations: ['wireguard-ts', 'wireguard-ts'] });
    [ours, theirs] = ends;
    await theirs.host.ip('address', 'add', '192.0.2.22/24', 'dev', 'eth0');
    await theirs.host.ip('address', 'add', '2001:db8::22/64', 'dev', 'eth0', 'nodad');
  });
  after(() => tearDown(hosts, ends));

  async function meetAnew(outer: 4 | 6): Promise<void> {
    await removePeer(ours, theirs.publicKey);
    await removePeer(theirs, ours.publicKey);
    await introduce(ends, { outer });
  }

  /** Pings their side with an inner traffic class, and counts the answers. */
  async function pingWith(trafficClass: number, address: string): Promise<number> {
    const argv = ['ping', '-n', '-c', '3', '-i', '0.05', '-W', '1', '-Q', String(trafficClass), address];
    return Number(/(\d+) received/.exec((await ours.host.attempt(argv)).output)?.[1]);
  }

  for (const outer of [4, 6] as const) {
    const mine = outer === 4 ? '192.0.2.1' : '2001:db8::1';

    it(`marks handshakes and nothing else, over IPv${outer}`, async () => {
      await meetAnew(outer);
      const capture = captureOn(theirs.host, 'eth0');
      assert.equal(await pingWith(EXPEDITED_FORWARDING, theirs.address4), 3);
      assert.equal(await pingWith(EXPEDITED_FORWARDING, theirs.address6), 3);
      const headers = outerHeaders(capture());
      for (const type of [1, 2]) {
        const classes = headers.filter(({ messageType }) => messageType === type).map((header) => header.trafficClass);
        assert.deepEqual(classes, [HANDSHAKE_CLASS]);
      }
      const data = headers.filter(({ messageType }) => messageType === TRANSPORT_DATA);
      assert.ok(data.length >= 12);
      assert.deepEqual(new Set(data.map(({ trafficClass }) => trafficClass)), new Set([0]));
    });

    it(`tells the inner congestion bits, over IPv${outer}`, async () => {
      await meetAnew(outer);
      for (const address of [theirs.address4, theirs.address6]) {
        for (const bits of [0, 1, 2, 3]) {
          const capture = captureOn(theirs.host, 'eth0');
          assert.equal(await pingWith(EXPEDITED_FORWARDING + bits, address), 3);
          const data = outerHeaders(capture()).filter(
            ({ messageType, messageLength, source }) =>
              messageType === TRANSPORT_DATA && messageLength > 32 && source === mine,
          );
          assert.deepEqual(
            data.map(({ trafficClass }) => trafficClass),
            [bits, bits, bits],
          );
        }
      }
    });

    it(`brings congestion on the way to who understands it, and drops for the others, over IPv${outer}`, async () => {
      await theirs.host.nft(MARK_CONGESTION);
      try {
        await meetAnew(outer);
        for (const address of [theirs.address4, theirs.address6]) {
          const capture = captureOn(theirs.host, theirs.interfaceName);
          assert.equal(await pingWith(CAPABLE_0, address), 3);
          const requests = capture().filter((packet) => isEchoRequest(packet));
          assert.deepEqual(
            requests.map((packet) => trafficClassOf(packet)),
            [CONGESTION_EXPERIENCED, CONGESTION_EXPERIENCED, CONGESTION_EXPERIENCED],
          );
          assert.equal(await pingWith(0, address), 0);
        }
      } finally {
        await theirs.host.nft('delete table inet congestion');
      }
    });

    it(`has the source that was spoken to on a host of several addresses, over IPv${outer}`, async () => {
      const addresses = outer === 4 ? ['192.0.2.2', '192.0.2.22'] : ['2001:db8::2', '2001:db8::22'];
      await meetAnew(outer);
      for (const address of [...addresses, addresses[0]]) {
        const endpoint = outer === 4 ? `${address}:51822` : `[${address}]:51822`;
        await setPeer(ours, theirs, { endpoint });
        assert.equal(await ping(ours.host, theirs.address4, { count: 3, interval: 0.05 }), 3);
        const capture = captureOn(ours.host, 'eth0');
        assert.equal(await ping(ours.host, theirs.address6, { count: 3, interval: 0.05 }), 3);
        const sources = outerHeaders(capture()).map(({ source }) => source);
        assert.deepEqual(new Set(sources), new Set([mine, address]));
        assert.equal((await shown(ours, 'endpoints')).get(theirs.publicKey), endpoint);
      }
    });
  }
});

/** Captures on an interface from now on. @returns what ends the capture and gives the frames */
function captureOn(host: Host, interfaceName: string): () => Uint8Array[] {
  const socket = inNamespace(
    namespacePath(host.name),
    () => new PacketSocket(listLinks().find(({ name }) => name === interfaceName)),
  );
  return () => {
    const buffer = new NativeBuffer(65_536);
    const frames: Uint8Array[] = [];
    for (let length = socket.read(buffer); length > 0; length = socket.read(buffer)) {
      frames.push(buffer.bytes.slice(0, length));
    }
    socket.close();
    return frames;
  };
}

/** Of the WireGuard datagrams among Ethernet frames. */
function outerHeaders(frames: readonly Uint8Array[]): OuterHeader[] {
  return frames.flatMap((frame) => {
    const packet = frame.subarray(ETHERNET_HEADER);
    const isV4 = packet[0] >> 4 === 4;
    const udp = isV4 ? 20 : 40;
    if (packet[isV4 ? 9 : 6] !== 17 || packet.length < udp + 8) return [];
    return {
      source: formatAddress(addressFromBytes(isV4 ? packet.subarray(12, 16) : packet.subarray(8, 24))),
      trafficClass: trafficClassOf(packet),
      messageType: packet[udp + 8],
      messageLength: packet.length - udp - 8,
    };
  });
}

function trafficClassOf(packet: Uint8Array): number {
  return packet[0] >> 4 === 4 ? packet[1] : ((packet[0] & 0x0f) << 4) | (packet[1] >> 4);
}

function isEchoRequest(packet: Uint8Array): boolean {
  return packet[0] >> 4 === 4 ? packet[9] === 1 && packet[20] === 8 : packet[6] === 58 && packet[40] === 128;
}
