import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseAead } from '../crypto/aead.ts';
import { nodePrimitives } from '../crypto/node.ts';
import { parseEndpoint } from '../inet/index.ts';
import { Pair, textOf, type Side } from './pair-for-testing.ts';

const primitives = nodePrimitives(chooseAead().aead);

function newPair(...[change]: Parameters<Pair['configure']>): Pair {
  const pair = new Pair(primitives);
  pair.configure(change);
  return pair;
}

/** A pair with a session that `left` started, at 1 s, with nothing under way. */
function connectedPair(): Pair {
  const pair = newPair();
  pair.send(pair.left, 'hello');
  pair.run(1000);
  return pair;
}

const texts = (side: Side) => side.delivered.map(textOf);
const keypair = (pair: Pair, side: Side) => pair.peerOf(side).sendingKeypair(pair.now)!;

describe('two peers (whitepaper §5.4, §6.3)', () => {
  it('carry the first packet after one round trip, and then both ways', () => {
    const pair = newPair();
    pair.send(pair.left, 'ping');
    pair.run(100);
    pair.send(pair.right, 'pong');
    pair.run(100);
    assert.deepEqual([texts(pair.right), texts(pair.left)], [['ping'], ['pong']]);
    assert.deepEqual(pair.typesSince(0), ['left: 1', 'right: 2', 'left: 4', 'right: 4']);
    assert.deepEqual([pair.left.events, pair.right.events], [['handshake-complete'], ['handshake-complete']]);
    assert.equal(pair.peerOf(pair.left).lastHandshakeAt, pair.epoch + 20);
    assert.equal(pair.peerOf(pair.right).lastHandshakeAt, pair.epoch + 30);
  });

  it('count all bytes of the protocol', () => {
    const pair = connectedPair();
    const [left, right] = [pair.peerOf(pair.left), pair.peerOf(pair.right)];
    assert.deepEqual([left.txBytes, left.rxBytes], [148 + 16 + 32 + 16, 92]);
    assert.deepEqual([right.txBytes, right.rxBytes], [left.rxBytes, left.txBytes]);
  });

  it('agree with a preshared key, and not with different ones', () => {
    const presharedKey = new Uint8Array(32).fill(7);
    for (const [right, expected] of [
      [{ presharedKey }, ['hello']],
      [{}, []],
    ] as const) {
      const pair = newPair({ left: { presharedKey }, right });
      pair.send(pair.left, 'hello');
      pair.run(1000);
      assert.deepEqual(texts(pair.right), expected);
    }
  });

  it('pad packets to 16 bytes, but not beyond the MTU, and deliver them without the padding', () => {
    const pair = connectedPair();
    const before = pair.sent.length;
    pair.send(pair.left, 'x'.repeat(5));
    pair.left.device.mtu = 28;
    pair.send(pair.left, 'x'.repeat(5));
    pair.run(100);
    assert.deepEqual(
      pair.sent.slice(before).map(({ bytes }) => bytes.length),
      [32 + 32, 28 + 32],
    );
    assert.deepEqual(texts(pair.right), ['hello', 'xxxxx', 'xxxxx']);
  });

  it('do not let the responder send before the initiator has proved that it has the keys', () => {
    const pair = newPair();
    pair.loses = ({ bytes }) => bytes[0] === 4;
    pair.send(pair.left, 'lost');
    pair.run(1000);
    assert.equal(pair.peerOf(pair.right).sendingKeypair(pair.now), undefined);
    assert.deepEqual(pair.right.events, []);
  });

  it('use the new keys only once they are confirmed, and open what is under way with the old ones', () => {
    const pair = connectedPair();
    const old = keypair(pair, pair.right);
    pair.run(120_000);
    pair.send(pair.left, 'rekey');
    pair.run(15); // The response is under way.
    assert.equal(keypair(pair, pair.right), old);
    pair.send(pair.right, 'with the old keys');
    pair.run(1000);
    assert.deepEqual(texts(pair.left), ['with the old keys']);
    assert.notEqual(keypair(pair, pair.right), old);
  });

  it('settle when both start at once', () => {
    const pair = newPair();
    pair.send(pair.left, 'from left');
    pair.send(pair.right, 'from right');
    pair.run(1000);
    assert.deepEqual([texts(pair.left), texts(pair.right)], [['from right'], ['from left']]);
    pair.send(pair.left, 'again');
    pair.send(pair.right, 'again');
    pair.run(4000);
    assert.deepEqual(
      [texts(pair.left), texts(pair.right)],
      [
        ['from right', 'again'],
        ['from left', 'again'],
      ],
    );
    assert.ok(!pair.typesSince(500).some((type) => /[12]/.test(type)));
  });
});

describe('rekeying (whitepaper §6.2)', () => {
  it('is begun by the initiator, when it sends after REKEY_AFTER_TIME', () => {
    const pair = connectedPair();
    pair.run(118_000);
    pair.send(pair.left, 'too early');
    pair.run(500);
    assert.ok(!pair.typesSince(1000).includes('left: 1'));
    pair.run(1000);
    pair.send(pair.left, 'now');
    pair.run(500);
    assert.deepEqual(pair.typesSince(120_000), ['left: 4', 'left: 1', 'right: 2', 'left: 4']);
  });

  it('is never begun by the responder for age', () => {
    const pair = connectedPair();
    pair.run(170_000);
    const at = pair.now;
    pair.send(pair.right, 'late');
    assert.deepEqual(pair.typesSince(at), ['right: 4']);
  });

  it('is begun by an initiator that only listens, KEEPALIVE_TIMEOUT + REKEY_TIMEOUT before REJECT_AFTER_TIME', () => {
    const pair = connectedPair();
    pair.run(163_000);
    pair.send(pair.right, 'at 164 s');
    pair.run(500);
    assert.ok(!pair.typesSince(100_000).includes('left: 1'));
    pair.run(1500);
    pair.send(pair.right, 'at 166 s');
    pair.run(500);
    assert.equal(pair.typesSince(100_000).filter((type) => type === 'left: 1').length, 1);
  });

  it('is not begun by what was under way with older keys', () => {
    const pair = connectedPair();
    pair.run(164_000);
    pair.latency = 900;
    pair.send(pair.left, 'this begins one');
    pair.run(1500);
    pair.send(pair.right, 'with the old keys');
    pair.run(8000);
    assert.deepEqual(texts(pair.left), ['with the old keys']);
    assert.equal(pair.typesSince(1000).filter((type) => type === 'left: 1').length, 1);
  });

  it('is begun by either side after REKEY_AFTER_MESSAGES', () => {
    const pair = connectedPair();
    Object.assign(keypair(pair, pair.right).sendCounter, { high: 0x0fff_ffff, low: 0xffff_fffe });
    pair.run(5000);
    const at = pair.now;
    pair.send(pair.right, 'one before the limit');
    pair.send(pair.right, 'the limit');
    assert.deepEqual(pair.typesSince(at), ['right: 4', 'right: 4', 'right: 1']);
    pair.run(100);
    assert.deepEqual(texts(pair.left), ['one before the limit', 'the limit']);
  });

  it('comes before anything else is sent after REJECT_AFTER_MESSAGES', () => {
    const pair = connectedPair();
    Object.assign(keypair(pair, pair.left).sendCounter, { high: 0xffff_ffff, low: 0xffff_dffe });
    pair.run(5000);
    const at = pair.now;
    pair.send(pair.left, 'the last');
    pair.send(pair.left, 'with new keys');
    pair.run(100);
    assert.deepEqual(texts(pair.right), ['hello', 'the last', 'with new keys']);
    assert.deepEqual(pair.typesSince(at), ['left: 4', 'left: 1', 'right: 2', 'left: 4']);
  });

  it('comes before anything else is sent after REJECT_AFTER_TIME, by when all keys are destroyed', () => {
    const pair = connectedPair();
    const [left, right] = [keypair(pair, pair.left), keypair(pair, pair.right)];
    pair.run(180_000);
    assert.deepEqual([left.destroyed, right.destroyed], [true, true]);
    assert.equal(pair.left.device.findKeypair(left.localIndex), undefined);
    const at = pair.now;
    pair.send(pair.right, 'fresh');
    pair.run(100);
    assert.deepEqual(pair.typesSince(at), ['right: 1', 'left: 2', 'right: 4']);
  });

  it('leaves no timer behind when nobody speaks any more', () => {
    const pair = connectedPair();
    pair.run(3 * 180_000);
    assert.deepEqual([pair.left.device.nextTimeout(), pair.right.device.nextTimeout()], [undefined, undefined]);
    assert.equal(pair.peerOf(pair.left).sendingKeypair(pair.now), undefined);
  });
});

describe('keepalives (whitepaper §6.5)', () => {
  it('answer data after KEEPALIVE_TIMEOUT without any, and are not answered themselves', () => {
    const pair = connectedPair();
    pair.run(60_000);
    const keepalives = pair.sent.filter(({ from, bytes }) => from === pair.right && bytes.length === 32);
    assert.deepEqual(
      keepalives.map(({ sentAt }) => sentAt),
      [10_030],
    );
    assert.deepEqual(pair.typesSince(1000), ['right: 4']);
  });

  it('are not sent when data went out meanwhile', () => {
    const pair = connectedPair();
    pair.send(pair.right, 'answer');
    pair.run(9999);
    assert.deepEqual(pair.typesSince(1001), []);
  });

  it('are sent at once and each interval where configured, by whoever has the endpoint', () => {
    const pair = newPair({ left: { persistentKeepalive: 25 } });
    pair.run(80_000);
    const sent = pair.sent
      .filter(({ from, bytes }) => from === pair.left && bytes[0] === 4)
      .map(({ sentAt }) => sentAt);
    assert.deepEqual(sent, [20, 25_020, 50_020, 75_020]);
  });

  it('wait for the private key', () => {
    const pair = newPair();
    const { device, keys } = pair.left;
    device.configure({ privateKey: new Uint8Array(32) }, pair.now);
    device.configure({ peers: [{ publicKey: pair.right.keys.publicKey, persistentKeepalive: 25 }] }, pair.now);
    assert.equal(device.poll(), undefined);
    device.configure({ privateKey: keys.privateKey }, pair.now);
    pair.drain();
    pair.run(100);
    assert.deepEqual(pair.left.events, ['handshake-complete']);
  });
});

describe('a peer that does not answer', () => {
  it('is asked for a new handshake 15 s after data was sent', () => {
    const pair = connectedPair();
    pair.send(pair.right, 'answer');
    pair.run(1000);
    pair.loses = ({ from }) => from === pair.right;
    pair.send(pair.left, 'into the void');
    pair.run(14_999);
    assert.ok(!pair.typesSince(2000).includes('left: 1'));
    pair.run(1);
    assert.equal(pair.typesSince(17_000)[0], 'left: 1');
  });

  it('is sent another initiation at once when that is asked for, while one waits for an answer', () => {
    const pair = newPair();
    const repeat = () => {
      const { publicKey } = pair.right.keys;
      pair.left.device.configure({ peers: [{ publicKey, updateOnly: true, repeatInitiation: true }] }, pair.now);
      pair.drain();
    };
    repeat();
    assert.deepEqual(pair.typesSince(0), []);
    pair.loses = () => true;
    pair.send(pair.left, 'hello');
    pair.run(1000);
    pair.loses = () => false;
    repeat();
    pair.run(100);
    assert.deepEqual(texts(pair.right), ['hello']);
    repeat();
    assert.deepEqual(pair.typesSince(0), ['left: 1', 'left: 1', 'right: 2', 'left: 4']);
  });

  it('is sent an initiation each REKEY_TIMEOUT and a bit, for REKEY_ATTEMPT_TIME, and is then given up (§6.4)', () => {
    const pair = newPair();
    pair.loses = () => true;
    pair.send(pair.left, 'anybody?');
    pair.run(200_000);
    const sentAt = pair.sent.map(({ sentAt }) => sentAt);
    assert.ok(sentAt.length >= 17 && sentAt.length <= 19, `${sentAt.length} initiations`);
    for (let i = 1; i < sentAt.length; i++) {
      const interval = sentAt[i] - sentAt[i - 1];
      assert.ok(interval >= 5000 && interval <= 5333, `interval ${interval}`);
    }
    assert.ok(sentAt.at(-1)! < 90_000);
    assert.deepEqual(pair.left.events, ['handshake-abandoned']);
    assert.equal(pair.left.device.drops['handshake-abandoned'], 1);
    assert.equal(pair.left.device.nextTimeout(), undefined);
  });

  it('is given REKEY_ATTEMPT_TIME anew with each packet that wants to go there', () => {
    const pair = newPair();
    pair.loses = () => true;
    pair.send(pair.left, 'anybody?');
    pair.run(80_000);
    pair.send(pair.left, 'still nobody?');
    pair.run(80_000);
    assert.deepEqual(pair.left.events, []);
    pair.loses = () => false;
    pair.run(6000);
    assert.deepEqual(texts(pair.right), ['anybody?', 'still nobody?']);
  });

  it('has the newest 128 packets kept for it', () => {
    const pair = newPair();
    for (let i = 0; i < 130; i++) pair.send(pair.left, `${i}`);
    pair.run(1000);
    assert.equal(pair.left.device.drops['staged-too-many'], 2);
    assert.deepEqual(
      texts(pair.right),
      Array.from({ length: 128 }, (_, i) => `${i + 2}`),
    );
  });

  it('gets nothing kept for it if it has no endpoint, and can still come to us', () => {
    const pair = new Pair(primitives);
    pair.configure({ left: {} });
    pair.right.device.configure({ replacePeers: true }, pair.now);
    const { allowedIps } = pair.right.device.state().peers[0] ?? { allowedIps: [] };
    assert.deepEqual(allowedIps, []);
    const prefix = { address: { family: 4 as const, bytes: Uint8Array.of(10, 0, 0, 1) }, length: 32 };
    const change = { publicKey: pair.left.keys.publicKey, allowedIps: [{ prefix }] };
    pair.right.device.configure({ peers: [change] }, pair.now);
    pair.send(pair.right, 'nowhere');
    assert.equal(pair.right.device.drops['no-endpoint'], 1);
    pair.send(pair.left, 'hello');
    pair.run(100);
    pair.send(pair.right, 'there');
    pair.run(100);
    assert.deepEqual(texts(pair.left), ['there']);
  });
});

describe('clocks', () => {
  it('may jump forwards by a day of sleep', () => {
    const pair = connectedPair();
    pair.now = (pair.now + 86_400_000) as typeof pair.now;
    pair.send(pair.left, 'good morning');
    pair.run(1000);
    assert.deepEqual(texts(pair.right), ['hello', 'good morning']);
  });

  it('may be set back on the wall: timestamps rise all the same', () => {
    const pair = connectedPair();
    pair.epoch -= 86_400_000;
    pair.run(200_000);
    pair.send(pair.left, 'again');
    pair.run(1000);
    assert.deepEqual(texts(pair.right), ['hello', 'again']);
  });
});

describe('roaming (whitepaper §2.1)', () => {
  it('follows authenticated messages of every kind', () => {
    const pair = connectedPair();
    pair.left.endpoint = parseEndpoint('[2001:db8::7]:7')!;
    pair.send(pair.left, 'moved');
    pair.run(100);
    assert.deepEqual(pair.peerOf(pair.right).endpoint, pair.left.endpoint);
    pair.left.endpoint = parseEndpoint('198.51.100.1:8')!;
    pair.run(200_000);
    pair.send(pair.left, 'with a handshake');
    pair.run(15);
    assert.deepEqual(pair.peerOf(pair.right).endpoint, pair.left.endpoint);
  });

  it('does not follow replays', () => {
    const pair = connectedPair();
    const elsewhere = parseEndpoint('203.0.113.9:9')!;
    for (const { bytes, from } of [...pair.sent]) {
      pair.receive(from === pair.left ? pair.right : pair.left, bytes, elsewhere);
    }
    assert.deepEqual(pair.peerOf(pair.right).endpoint, pair.left.endpoint);
    assert.deepEqual(pair.peerOf(pair.left).endpoint, pair.right.endpoint);
    assert.deepEqual(texts(pair.right), ['hello']);
    assert.equal(pair.right.device.drops['stale-timestamp'], 1);
    assert.equal(pair.right.device.drops['transport-not-authentic'], 1);
    assert.equal(pair.left.device.drops['unknown-index'], 1);
  });
});
