import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { chooseAead } from '../crypto/aead.ts';
import { nodePrimitives } from '../crypto/node.ts';
import { formatPrefix, parseEndpoint, parsePrefix } from '../inet/index.ts';
import { millis } from '../machine/index.ts';
import { CookieGenerator } from './cookie.ts';
import { Device, InvalidConfigurationError } from './device.ts';
import type { DropReason } from './drop-reason.ts';
import { Pair, packetOf, textOf, type Side } from './pair-for-testing.ts';

const primitives = nodePrimitives(chooseAead().aead);
const somewhere = parseEndpoint('203.0.113.9:9')!;
const start = millis(0);

function newPair(...[change]: Parameters<Pair['configure']>): Pair {
  const pair = new Pair(primitives);
  pair.configure(change);
  return pair;
}

/** The first initiation of `left`, which has not arrived. */
function initiationOf(pair: Pair): Uint8Array {
  pair.loses = () => true;
  pair.send(pair.left, 'hello');
  pair.loses = () => false;
  return pair.sent[0].bytes;
}

function assertDrops(side: Side, expected: Partial<Record<DropReason, number>>): void {
  const counted = Object.fromEntries(Object.entries(side.device.drops).filter(([, count]) => count > 0));
  assert.deepEqual(counted, expected);
}

describe('a device that is sent an initiation', () => {
  it('is silent if mac1 is not for it, and does no curve operation', () => {
    let curveOperations = 0;
    const sharedSecret: typeof primitives.sharedSecret = (...keys) => {
      curveOperations++;
      return primitives.sharedSecret(...keys);
    };
    const pair = new Pair({ ...primitives, sharedSecret });
    pair.configure();
    const initiation = initiationOf(pair);
    curveOperations = 0;
    pair.receive(pair.right, initiation.with(120, initiation[120] ^ 1), pair.left.endpoint);
    assertDrops(pair.right, { 'invalid-mac1': 1 });
    assert.deepEqual([pair.sent.length, curveOperations], [1, 0]);
  });

  it('is silent if it does not know the initiator', () => {
    const pair = newPair();
    const initiation = initiationOf(pair);
    pair.right.device.configure({ replacePeers: true }, pair.now);
    pair.receive(pair.right, initiation, pair.left.endpoint);
    assertDrops(pair.right, { 'unknown-peer': 1 });
    assert.equal(pair.sent.length, 1);
  });

  it('is silent if it has no private key', () => {
    const pair = newPair();
    const initiation = initiationOf(pair);
    pair.right.device.configure({ privateKey: new Uint8Array(32) }, pair.now);
    pair.receive(pair.right, initiation, pair.left.endpoint);
    assertDrops(pair.right, { 'no-private-key': 1 });
  });

  it('answers it once: a replay or an older one is dropped, also after the session', () => {
    const pair = newPair();
    const older = initiationOf(pair);
    pair.run(6000);
    pair.run(200_000);
    pair.receive(pair.right, older, somewhere);
    assertDrops(pair.right, { 'stale-timestamp': 1 });
    assert.deepEqual(pair.peerOf(pair.right).endpoint, pair.left.endpoint);
  });

  it('answers one of a peer in 20 ms (flood guard)', () => {
    const pair = new Pair(primitives, { rekeyTimeout: millis(0) });
    pair.configure();
    pair.loses = () => true;
    pair.send(pair.left, 'hello');
    const key = pair.left.keys.privateKey;
    pair.epoch += 1000;
    pair.left.device.configure({ privateKey: new Uint8Array(32) }, pair.now);
    pair.left.device.configure({ privateKey: key }, pair.now);
    pair.drain();
    const [first, second] = pair.sent.filter(({ bytes }) => bytes[0] === 1).map(({ bytes }) => bytes);
    pair.receive(pair.right, first, pair.left.endpoint);
    pair.now = millis(pair.now + 19);
    pair.receive(pair.right, second, pair.left.endpoint);
    assertDrops(pair.right, { 'initiation-flood': 1 });
    pair.now = millis(pair.now + 1);
    pair.receive(pair.right, second, pair.left.endpoint);
    assertDrops(pair.right, { 'initiation-flood': 1 });
    assert.deepEqual(pair.typesSince(0).slice(-2), ['right: 2', 'right: 2']);
  });
});

describe('shared secrets of zeros', () => {
  const zeroPoints = [new Uint8Array(32), Uint8Array.of(1, ...new Uint8Array(31))];

  it('are refused for the static key of a peer: nothing is ever sent there', () => {
    for (const publicKey of zeroPoints) {
      const device = new Device({ primitives, unixTime: () => start });
      const prefix = parsePrefix('10.0.0.0/8')!;
      const peers = [{ publicKey, endpoint: somewhere, allowedIps: [{ prefix }] }];
      device.configure({ privateKey: primitives.randomBytes(32), peers }, start);
      device.handlePacket(packetOf(1, 2, 'hello'), start);
      assert.equal(device.poll()?.kind, 'handshake-abandoned');
      assert.equal(device.poll(), undefined);
      assert.equal(device.nextTimeout(), undefined);
    }
  });

  it('are refused at every other step, and leave no trace', () => {
    // What a peer would cause with an ephemeral key of small order, at the n-th DH of its opponent.
    const cases = [
      { refusedAt: 1, side: 'right', of: 2 },
      { refusedAt: 2, side: 'right', of: 2 },
      { refusedAt: 3, side: 'right', of: 2 },
      { refusedAt: 4, side: 'right', of: 2 },
      { refusedAt: 5, side: 'left', of: 1 },
      { refusedAt: 6, side: 'left', of: 1 },
    ] as const;
    for (const { refusedAt, side } of cases) {
      let operations = -Infinity;
      const sharedSecret: typeof primitives.sharedSecret = (...keys) =>
        ++operations === refusedAt ? undefined : primitives.sharedSecret(...keys);
      const pair = new Pair({ ...primitives, sharedSecret });
      pair.configure();
      pair.send(pair.left, 'hello');
      operations = 0;
      pair.run(1000);
      assertDrops(pair[side], { 'zero-shared-secret': 1 });
      assert.deepEqual(pair.right.delivered, [], `operation ${refusedAt}`);
      pair.run(6000);
      assert.deepEqual(pair.right.delivered.map(textOf), ['hello'], `after operation ${refusedAt}`);
    }
  });
});

describe('a forged response', () => {
  it('leaves no trace: the right one is taken in after it', () => {
    const pair = newPair();
    pair.loses = ({ bytes }) => bytes[0] === 2;
    pair.send(pair.left, 'hello');
    pair.run(100);
    const response = pair.sent[1].bytes;
    const macs = new CookieGenerator(primitives, pair.left.keys.publicKey, millis(1));
    for (const field of [12, 44]) {
      const forged = response.with(field, response[field] ^ 1);
      macs.addMacs(forged, pair.now);
      pair.receive(pair.left, forged, somewhere);
    }
    assertDrops(pair.left, { 'handshake-not-authentic': 2 });
    assert.deepEqual(pair.peerOf(pair.left).endpoint, pair.right.endpoint);
    pair.receive(pair.left, response, pair.right.endpoint);
    pair.run(100);
    assert.deepEqual(pair.right.delivered.map(textOf), ['hello']);
  });
});

describe('the secrets of a session', () => {
  it('are zeros when it is over, answered or not', () => {
    const ephemeral: Uint8Array[] = [];
    const shared: Uint8Array[] = [];
    const pair = new Pair({
      ...primitives,
      randomBytes(length) {
        const bytes = primitives.randomBytes(length);
        if (length === 32) ephemeral.push(bytes);
        return bytes;
      },
      sharedSecret(...keys) {
        const secret = primitives.sharedSecret(...keys);
        if (secret !== undefined) shared.push(secret);
        return secret;
      },
    });
    pair.configure();
    ephemeral.length = 0; // The static keys and the cookie secrets stay.
    pair.send(pair.left, 'hello');
    pair.run(1000);
    pair.loses = () => true;
    pair.run(200_000);
    pair.send(pair.left, 'anybody?');
    pair.run(3 * 180_000);
    const isWiped = (bytes: Uint8Array) => bytes.every((byte) => byte === 0);
    assert.ok(ephemeral.length > 10);
    assert.deepEqual(
      ephemeral.filter((key) => !isWiped(key)),
      [],
    );
    // Left and right keep DH(S_i, S_r) for the next handshake.
    assert.equal(shared.filter((secret) => !isWiped(secret)).length, 2);
  });
});

describe('a device under load (whitepaper §5.3, §5.4.7)', () => {
  it('answers an initiation with a cookie, and the next one, which brings it, as ever', () => {
    const pair = newPair();
    pair.right.device.underLoad = true;
    pair.send(pair.left, 'hello');
    pair.run(6000);
    assert.deepEqual(pair.typesSince(0), ['left: 1', 'right: 3', 'left: 1', 'right: 2', 'left: 4']);
    assertDrops(pair.right, { 'invalid-mac2': 1 });
    assert.deepEqual(pair.right.delivered.map(textOf), ['hello']);
  });

  it('answers a response with a cookie, too', () => {
    const pair = newPair();
    pair.left.device.underLoad = true;
    pair.send(pair.left, 'hello');
    pair.run(6000);
    assert.deepEqual(pair.typesSince(0), ['left: 1', 'right: 2', 'left: 3', 'left: 1', 'right: 2', 'left: 4']);
  });

  it('takes a cookie from nowhere but the address that it was made for', () => {
    const pair = newPair();
    pair.right.device.underLoad = true;
    pair.send(pair.left, 'hello');
    pair.run(4000);
    pair.left.endpoint = somewhere;
    pair.run(2000);
    assert.deepEqual(pair.typesSince(0), ['left: 1', 'right: 3', 'left: 1', 'right: 3']);
  });

  it('takes no cookie of a secret that is two minutes old', () => {
    const pair = newPair();
    pair.loses = ({ bytes }) => bytes[0] === 2;
    pair.right.device.underLoad = true;
    pair.send(pair.left, 'hello');
    pair.run(119_000);
    pair.send(pair.left, 'more');
    pair.run(12_000);
    const replies = pair.sent.filter(({ bytes }) => bytes[0] === 3);
    assert.equal(replies.length, 2);
    assert.ok(replies[1].sentAt >= 120_000);
  });

  it('sends a source few cookies, however many messages come in its name', () => {
    const pair = newPair();
    pair.right.device.underLoad = true;
    pair.send(pair.left, 'hello');
    pair.run(100);
    const forged = pair.sent[0].bytes;
    for (let i = 0; i < 100; i++) pair.receive(pair.right, forged, somewhere);
    pair.run(100);
    const replies = pair.sent.filter(({ bytes }) => bytes[0] === 3);
    assert.equal(replies.length, 1 + 3);
    assert.equal(pair.right.device.drops['rate-limited'], 97);
  });

  it('limits the initiations of one source, cookie or not', () => {
    const pair = newPair();
    pair.right.device.underLoad = true;
    pair.send(pair.left, 'hello');
    pair.run(6000);
    const withCookie = pair.sent.filter(({ bytes }) => bytes[0] === 1)[1].bytes;
    for (let i = 0; i < 10; i++) pair.receive(pair.right, withCookie, pair.left.endpoint);
    assert.equal(pair.right.device.drops['rate-limited'], 5);
  });
});

describe('a cookie reply', () => {
  it('is taken once, for the last message only, and does not move the endpoint', () => {
    const pair = newPair();
    pair.right.device.underLoad = true;
    const initiation = initiationOf(pair);
    pair.loses = () => true;
    pair.receive(pair.right, initiation, pair.left.endpoint);
    const reply = pair.sent[1].bytes;
    pair.receive(pair.left, reply.with(40, reply[40] ^ 1), pair.right.endpoint);
    assertDrops(pair.left, { 'invalid-cookie-reply': 1 });
    pair.receive(pair.left, reply, somewhere);
    assertDrops(pair.left, { 'invalid-cookie-reply': 1 });
    pair.receive(pair.left, reply, pair.right.endpoint);
    assertDrops(pair.left, { 'invalid-cookie-reply': 2 });
    assert.deepEqual(pair.peerOf(pair.left).endpoint, pair.right.endpoint);
    pair.run(6000);
    pair.receive(pair.left, reply, pair.right.endpoint);
    assert.equal(pair.left.device.drops['unknown-index'], 1);
  });
});

describe('the inner source', () => {
  it('must be one that the peer is entitled to', () => {
    const pair = newPair();
    pair.left.device.handlePacket(packetOf(99, 2, 'forged'), pair.now);
    pair.send(pair.left, 'honest');
    pair.run(100);
    assert.deepEqual(pair.right.delivered.map(textOf), ['honest']);
    assertDrops(pair.right, { 'source-not-allowed': 1 });
  });
});

describe('configuring a device', () => {
  const publicKey = new Uint8Array(32).fill(9);
  const newDevice = () => new Device({ primitives, unixTime: () => start });

  it('reads back as it was set, with the private key clamped', () => {
    const device = newDevice();
    const presharedKey = new Uint8Array(32).fill(5);
    const allowedIps = ['10.0.0.0/8', 'fd00::/8'].map((text) => ({ prefix: parsePrefix(text)! }));
    const peer = { publicKey, presharedKey, endpoint: somewhere, persistentKeepalive: 25, allowedIps };
    device.configure({ privateKey: new Uint8Array(32).fill(255), listenPort: 7, fwmark: 8, peers: [peer] }, start);
    const state = device.state();
    assert.deepEqual([state.privateKey?.[0], state.privateKey?.[31], state.listenPort, state.fwmark], [248, 127, 7, 8]);
    const [{ allowedIps: prefixes, ...read }] = state.peers;
    assert.deepEqual(prefixes.map(formatPrefix), ['10.0.0.0/8', 'fd00::/8']);
    const counters = { lastHandshakeAt: undefined, txBytes: 148, rxBytes: 0 };
    assert.deepEqual(
      { ...read },
      { publicKey, presharedKey, endpoint: somewhere, persistentKeepalive: 25, ...counters },
    );
  });

  it('changes nothing if any part makes no sense', () => {
    const device = newDevice();
    const good = { publicKey };
    for (const bad of [
      { peers: [good, { publicKey: new Uint8Array(31) }] },
      { peers: [good, { publicKey, presharedKey: new Uint8Array(33) }] },
      { peers: [good, { publicKey, persistentKeepalive: 65_536 }] },
      { privateKey: new Uint8Array(1), peers: [good] },
      { listenPort: -1, peers: [good] },
      { fwmark: 0.5, peers: [good] },
    ]) {
      assert.throws(() => device.configure(bad, start), InvalidConfigurationError);
    }
    assert.deepEqual(device.state().peers, []);
  });

  it('removes, replaces and updates peers as UAPI says', () => {
    const device = newDevice();
    const other = new Uint8Array(32).fill(8);
    device.configure({ peers: [{ publicKey, updateOnly: true }] }, start);
    assert.deepEqual(device.state().peers, []);
    const prefix = parsePrefix('10.0.0.0/8')!;
    device.configure({ peers: [{ publicKey, allowedIps: [{ prefix }] }, { publicKey: other }] }, start);
    device.configure({ peers: [{ publicKey: other, allowedIps: [{ prefix }] }] }, start);
    assert.deepEqual(
      device.state().peers.map((peer) => peer.allowedIps.length),
      [0, 1],
    );
    device.configure({ peers: [{ publicKey: other, remove: true }] }, start);
    assert.deepEqual(
      device.state().peers.map((peer) => peer.publicKey),
      [publicKey],
    );
    assert.equal(device.allowedIps.lookupDestination(packetOf(1, 2, ''), 0), undefined);
    device.configure({ replacePeers: true, peers: [{ publicKey: other }] }, start);
    assert.deepEqual(
      device.state().peers.map((peer) => peer.publicKey),
      [other],
    );
  });

  it('ignores a peer that is the device itself, and drops one that turns out to be', () => {
    const device = newDevice();
    const privateKey = primitives.randomBytes(32);
    const self = { publicKey: primitives.publicKey(privateKey) };
    device.configure({ peers: [self] }, start);
    device.configure({ privateKey }, start);
    device.configure({ peers: [self] }, start);
    assert.deepEqual(device.state().peers, []);
  });

  it('ends all sessions when the private key changes, and a removed peer says nothing more', () => {
    const pair = newPair();
    pair.send(pair.left, 'hello');
    pair.run(1000);
    const peer = pair.peerOf(pair.left);
    const keypair = peer.sendingKeypair(pair.now)!;
    pair.left.device.configure({ privateKey: primitives.randomBytes(32) }, pair.now);
    assert.equal(keypair.destroyed, true);
    assert.equal(pair.left.device.findKeypair(keypair.localIndex), undefined);
    pair.left.device.configure({ replacePeers: true }, pair.now);
    peer.afterSending(keypair, 1, 100, pair.now);
    peer.afterReceiving(keypair, { packets: 1, bytes: 100 }, undefined, pair.now);
    assert.equal(pair.left.device.nextTimeout(), undefined);
  });
});

describe('a device with ten thousand silent peers', () => {
  it('has no timer for any of them', () => {
    const device = new Device({ primitives, unixTime: () => start });
    const peers = Array.from({ length: 10_000 }, (_, i) => {
      return { publicKey: Uint8Array.of(i >>> 8, i, ...new Uint8Array(30).fill(9)), endpoint: somewhere };
    });
    device.configure({ privateKey: primitives.randomBytes(32), peers }, start);
    assert.equal(device.nextTimeout(), undefined);
  });
});

describe('any datagram from anywhere', () => {
  it('is taken in or dropped and counted, and never throws', () => {
    const pair = newPair();
    pair.send(pair.left, 'hello');
    pair.run(1000);
    const genuine = pair.sent.map(({ bytes }) => bytes);
    const mutated = fc
      .tuple(fc.constantFrom(...genuine), fc.nat(200), fc.nat(255), fc.nat(200))
      .map(([bytes, at, value, length]) => bytes.with(at % bytes.length, value).slice(0, Math.max(4, length)));
    const headed = fc
      .tuple(fc.integer({ min: 0, max: 5 }), fc.uint8Array({ maxLength: 160 }))
      .map(([type, rest]) => Uint8Array.of(type, 0, 0, 0, ...rest));
    fc.assert(
      fc.property(fc.oneof(mutated, headed, fc.uint8Array({ maxLength: 200 })), fc.boolean(), (datagram, underLoad) => {
        pair.right.device.underLoad = underLoad;
        const drops = () => Object.values(pair.right.device.drops).reduce((sum, count) => sum + count);
        const before = drops();
        pair.right.device.handleDatagram(datagram, somewhere, pair.now);
        pair.right.device.handlePacket(datagram, pair.now);
        assert.ok(drops() > before);
      }),
      { numRuns: 2000 },
    );
    pair.drain();
    assert.deepEqual(pair.right.delivered.map(textOf), ['hello']);
    assert.deepEqual(pair.peerOf(pair.right).endpoint, pair.left.endpoint);
  });
});
