import assert from 'node:assert/strict';
import type { Primitives } from '../../src/crypto/primitives.ts';
import { addressFromBytes, endpointOf, type Endpoint } from '../../src/inet/index.ts';
import { LABEL_MAC1 } from '../../src/wireguard/constants.ts';
import type { DropCounts, DropReason } from '../../src/wireguard/index.ts';
import { macOffsets } from '../../src/wireguard/messages.ts';
import { Pair, type Side } from '../../src/wireguard/pair-for-testing.ts';
import { seededPrimitives } from './seeded-primitives.ts';
import { readFrames, writeFrames, type Target } from './target.ts';

/** Circumstances of a datagram. */
const TO_LEFT = 1;
const UNDER_LOAD = 2;
/** Whoever knows our public key can make it. */
const WITH_MAC1 = 4;

/** By the content of the datagram, so that not all are of the one source whose rate is used up. */
function strangerOf(bytes: Uint8Array): Endpoint {
  return endpointOf(
    addressFromBytes(
      Uint8Array.of(
        198,
        51,
        100,
        bytes.reduce((sum, byte) => sum + byte, 0),
      ),
    ),
    9,
  );
}

/** What limits rates has nothing left after so many, since no time passes; then the story is told again. */
const INPUTS_A_STORY = 2000;
const COOKIE_REPLY_LENGTH = 64;
/**
 * From where to where the keys authenticate an initiation and a response. They do not authenticate the indices (Noise
 * knows of none): whoever changes one under way makes a session that carries nothing, as if he had taken the message away.
 */
const AUTHENTICATED = new Map<number, readonly [number, number]>([
  [148, [8, 116]],
  [92, [12, 60]],
]);

interface Story {
  readonly pair: Pair;
  /** Every datagram of the two, with what the link lost. */
  readonly datagrams: readonly Uint8Array[];
  readonly primitives: Primitives;
  readonly mac1Keys: Record<Side['name'], Uint8Array>;
}

/**
 * A pair that came together under load, so with cookies, and has a session; `left` has sent an initiation, and the
 * response and a cookie reply to it are under way.
 */
function tell(): Story {
  const primitives = seededPrimitives();
  const pair = new Pair(primitives);
  pair.right.device.underLoad = true;
  pair.configure();
  pair.send(pair.left, 'hello');
  pair.run(20_000);
  pair.right.device.underLoad = false;
  pair.send(pair.right, 'answer');
  pair.run(110_000);
  pair.loses = ({ bytes, from }) => from === pair.right && bytes[0] === 2;
  pair.send(pair.left, 'rekey');
  pair.run(1000);
  const initiation = pair.sent.findLast(({ bytes }) => bytes[0] === 1)!;
  assert.deepEqual([initiation.from.name, pair.sent.at(-1)?.bytes[0]], ['left', 2]);
  pair.loses = () => true;
  pair.right.device.underLoad = true;
  pair.receive(pair.right, initiation.bytes.with(147, 1), pair.left.endpoint);
  pair.right.device.underLoad = false;
  assert.equal(pair.sent.at(-1)?.bytes[0], 3);
  const mac1KeyOf = (side: Side) => primitives.hash(LABEL_MAC1, side.keys.publicKey);
  return {
    pair,
    primitives,
    datagrams: pair.sent.map(({ bytes }) => bytes),
    mac1Keys: { left: mac1KeyOf(pair.left), right: mac1KeyOf(pair.right) },
  };
}

/** Whatever a stranger sends to a device with a session, and with a handshake under way, is dropped for one reason. */
export function deviceTarget(): Target {
  let [story, inputs] = [tell(), 0];
  const { datagrams } = story;
  return {
    name: 'device',
    share: 4,
    seeds: datagrams.flatMap((bytes) =>
      [0, 1, 2, 3, 4, 5, 6, 7].map((circumstances) => writeFrames([{ circumstances, bytes }])),
    ),
    outcomes: [
      ...['malformed', 'invalid-mac1', 'invalid-mac2', 'handshake-not-authentic', 'stale-timestamp', 'unknown-index'],
      ...['rate-limited', 'invalid-cookie-reply', 'transport-not-authentic', 'under way'],
    ],
    run(input) {
      const [{ circumstances, bytes } = { circumstances: 0, bytes: input }] = readFrames(input, 1);
      if (++inputs % INPUTS_A_STORY === 0) story = tell();
      const { pair, primitives, mac1Keys } = story;
      const to = (circumstances & TO_LEFT) === 0 ? pair.right : pair.left;
      if (AUTHENTICATED.has(bytes.length) && (circumstances & WITH_MAC1) !== 0) {
        const { mac1 } = macOffsets(bytes);
        bytes.set(primitives.mac(mac1Keys[to.name], bytes.subarray(0, mac1)), mac1);
      }
      if (to === pair.left && isUnderWay(datagrams, bytes)) return 'under way';
      to.device.underLoad = (circumstances & UNDER_LOAD) !== 0;
      return takenIn(pair, to, bytes);
    },
  };
}

/** Whether it is good, and just not there yet: only that may change the device that it is for. */
function isUnderWay(datagrams: readonly Uint8Array[], bytes: Uint8Array): boolean {
  if (bytes[0] !== 2 && bytes[0] !== 3) return false;
  const [start, end] = AUTHENTICATED.get(bytes.length) ?? [0, bytes.length];
  const essence = bytes.subarray(start, end);
  return datagrams.some(
    (known) => known.length === bytes.length && Buffer.compare(known.subarray(start, end), essence) === 0,
  );
}

/** Hands `bytes` to `to`, and sees to it that nothing comes of it. */
function takenIn(pair: Pair, to: Side, bytes: Uint8Array): DropReason {
  const { device } = to;
  const peer = pair.peerOf(to);
  const before = { ...device.drops };
  const { endpoint, rxBytes, txBytes, lastHandshakeAt } = peer;
  const keypair = peer.sendingKeypair(pair.now);
  const stranger = strangerOf(bytes);
  device.handleDatagram(bytes, stranger, pair.now);
  for (let output = device.poll(); output !== undefined; output = device.poll()) {
    assert.equal(output.kind, 'send', 'something other than a cookie reply came of it');
    if (output.kind !== 'send') continue;
    assert.ok(device.underLoad && output.peer === undefined && output.to === stranger, 'sent to a stranger');
    assert.ok(output.datagram.length === COOKIE_REPLY_LENGTH && output.datagram.length < bytes.length);
  }
  assert.equal(peer.endpoint, endpoint, 'roamed');
  assert.deepEqual([peer.rxBytes, peer.txBytes, peer.lastHandshakeAt], [rxBytes, txBytes, lastHandshakeAt]);
  assert.equal(peer.sendingKeypair(pair.now), keypair, 'another keypair');
  return onlyDrop(before, device.drops);
}

/** The one reason that was counted. */
export function onlyDrop(before: DropCounts, after: DropCounts): DropReason {
  const counted = (Object.keys(after) as DropReason[]).filter((reason) => after[reason] !== before[reason]);
  assert.equal(counted.length, 1, `dropped for ${counted.length} reasons`);
  assert.equal(after[counted[0]] - before[counted[0]], 1);
  return counted[0];
}
