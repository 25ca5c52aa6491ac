import assert from 'node:assert/strict';
import { decode, encode, rfc8949EncodeOptions } from 'cborg';
import { identityPrimitives } from '../../src/crypto/node.ts';
import { endpointOf, parseAddress, parseEndpoint, parsePrefix, type Endpoint } from '../../src/inet/index.ts';
import { after, millis } from '../../src/machine/index.ts';
import {
  DESCRIPTION_LIFE,
  identityFromSeed,
  MAX_MESSAGE_BYTES,
  MeshNode,
  meshTag,
  readDescription,
  readMessage,
  signDescription,
  writeMessage,
  type Description,
  type DescriptionContent,
  type Message,
} from '../../src/mesh/index.ts';
import { provedKey } from '../../src/mesh/wireguard-key-for-testing.ts';
import { Random } from './random.ts';
import { readFrames, writeFrames, type Target } from './target.ts';

const SIGNATURE_BYTES = 64;
const TAG = meshTag('test', identityPrimitives);
const NOW = millis(1_800_000_000_000);
const identity = identityFromSeed(new Uint8Array(32).fill(1), identityPrimitives);
const { nodeId } = identity;
const key = provedKey(new Uint8Array(32).fill(2), identity.publicKey);
const content: DescriptionContent = {
  ...{ meshName: 'test', ...key, sequence: NOW, issuedAt: NOW },
  ...{ expiresAt: after(NOW, DESCRIPTION_LIFE), hostName: 'höst.example', capabilities: ['relay', 7] },
  endpoints: [
    { endpoint: parseEndpoint('192.0.2.1:51820')!, kind: 'interface' },
    { endpoint: parseEndpoint('[2001:db8::1]:7')!, kind: 'configured' },
  ],
  networks: [{ prefix: parsePrefix('10.0.0.0/8')!, kind: 1, preference: 100 }],
  membershipCertificate: Uint8Array.of(1, 2, 3),
};
const signed = signDescription(content, identity, identityPrimitives).bytes;
const news = { nodeId, sequence: NOW };
const unsigned = { target: parseEndpoint('192.0.2.1:7077'), signature: new Uint8Array(64) };
const messages: readonly Message[] = [
  { kind: 'hello', ...news, knownSequence: 7, challenge: 2n ** 64n - 1n, echo: 0n, pleaseAnswer: true, ...unsigned },
  { kind: 'hello', ...news, knownSequence: 0, challenge: 0n, echo: 0n, pleaseAnswer: false, ...unsigned },
  { kind: 'description-request', nodeId, nonce: 5n, offset: 0, length: 1200 },
  { kind: 'description-part', ...news, nonce: 5n, total: signed.length, offset: 0, bytes: signed },
  { kind: 'probe', nonce: 2n ** 63n, wish: 'likes', isInterested: true, isConfirmed: false },
  { kind: 'probe-reply', nonce: 0n, wish: 'likes', isNeighbour: true, seenAt: parseEndpoint('192.0.2.1:51820') },
  { kind: 'probe-reply', nonce: 0n, wish: 'likes', isNeighbour: false, seenAt: undefined },
  { kind: 'call', pleaseAnswer: true, candidates: [parseEndpoint('[2001:db8::1]:7')!] },
  { kind: 'digest', digest: new Uint8Array(16).fill(9) },
  { kind: 'echo-request', nonce: 2n ** 64n - 1n },
  { kind: 'echo-reply', nonce: 3n },
  { kind: 'babel', packet: Uint8Array.of(42, 2, 0, 0) },
  { kind: 'announce', ...news },
  { kind: 'summary', pleaseAnswer: true, entries: [news, { nodeId: 'ab'.repeat(28), sequence: 1 }] },
  { kind: 'leave' },
];
const written = messages.map((message) => writeMessage(message, TAG));

/** A message is read or refused for a reason; what was read, written again, is read as the same. */
export const meshMessageTarget: Target = {
  name: 'mesh-message',
  share: 10,
  seeds: written,
  outcomes: [
    ...new Set(messages.map(({ kind }) => kind)),
    ...['message-malformed', 'message-unknown-version', 'message-unknown-type', 'foreign-mesh'],
  ],
  run(datagram) {
    const message = readMessage(datagram, TAG);
    if (typeof message === 'string') return message;
    if (message.kind === 'description-part') {
      assert.ok(message.offset + message.bytes.length <= message.total, 'a part beyond the whole');
    }
    const again = writeMessage(message, TAG);
    assert.ok(again.length <= MAX_MESSAGE_BYTES, `a message of ${again.length} bytes`);
    assert.deepEqual(readMessage(again, TAG), message);
    return message.kind;
  },
};

/** What its owner did not sign is nobody's description. */
export const descriptionTarget: Target = {
  name: 'description',
  share: 2,
  seeds: [signed],
  outcomes: ['description-malformed', 'description-wrong-signature', 'description-not-canonical', 'unchanged'],
  run(bytes) {
    const description = readDescription(bytes, 'test', identityPrimitives, NOW);
    if (typeof description === 'string') return description;
    assert.equal(Buffer.compare(bytes, signed), 0, 'somebody else’s bytes were believed');
    return 'unchanged';
  },
};

/** Numbers, strings and containers of CBOR. */
const CBOR: readonly Uint8Array[] = [
  ...[0, 1, -1, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 1.5, NaN, null, true, '', 'x', '\u001b[2J', [], [[]], new Map()].map(
    (value) => encode(value, rfc8949EncodeOptions),
  ),
  encode([Uint8Array.of(192, 0, 2, 7), 9, 1], rfc8949EncodeOptions),
  // A number above 2^53, and what deterministic encoding has not.
  ...[[0x1b, ...Array<number>(8).fill(0xff)], [0x9f], [0xff], [0xbf], [0x5f], [0xc2, 0x41, 1]].map(toBytes),
];

/** The owner of a key signs what he likes: it is refused, or it is a description that could be signed again. */
export const descriptionContentTarget: Target = {
  name: 'description-content',
  share: 3,
  seeds: [signed, signDescription({ ...content, hostName: 'a', endpoints: [] }, identity, identityPrimitives).bytes],
  tokens: [...CBOR, ...[0x81, 0xa1, 0x80, 0xa0, 0xf6].map((head) => new Uint8Array(900).fill(head))],
  outcomes: ['description-malformed', 'description-not-canonical', 'description-contradicts-itself', 'accepted'],
  run(bytes) {
    const lenient = { ...identityPrimitives, verifyKeyProof: () => true };
    const description = readInTime(bytes);
    if (typeof description === 'string') return description;
    assert.doesNotMatch(description.hostName, /[\u0000-\u001f\u007f]/);
    const payload = bytes.subarray(SIGNATURE_BYTES);
    const once = encode(decode(payload, { useMaps: true }), rfc8949EncodeOptions);
    assert.equal(Buffer.compare(once, payload), 0, 'one content, two forms');
    const again = readDescription(signedAgain(description), 'test', lenient, NOW);
    assert.ok(typeof again !== 'string', `signed again, it is dropped: ${String(again)}`);
    assert.deepEqual(again.endpoints, description.endpoints);
    return 'accepted';
  },
};

/** What may be spent on a description before, or without, its signature being right. A machine that is busy gets some tries. */
const MOST_MS = 5;
const TRIES = 20;

function readInTime(bytes: Uint8Array): Description | string {
  const trusting = { ...identityPrimitives, verify: () => true, verifyKeyProof: () => true };
  for (let tries = 1; ; tries++) {
    const startedAt = performance.now();
    const description = readDescription(bytes, 'test', trusting, NOW);
    const elapsed = performance.now() - startedAt;
    if (elapsed < MOST_MS) return description;
    assert.ok(tries < TRIES, `it took ${elapsed.toFixed(1)} ms to read`);
  }
}

function signedAgain(description: Description): Uint8Array {
  return signDescription(description, identity, identityPrimitives).bytes;
}

/** Circumstances of a datagram. */
const INSIDE_TUNNEL = 1;
const OTHER_SOURCE = 2;
const LATER = 4;

const SOURCES: readonly [Endpoint, Endpoint] = [
  parseEndpoint('[fe80::2%1]:7077')!,
  endpointOf(parseAddress('192.0.2.2')!, 7077),
];

/**
 * Datagrams without a signed description make nobody a peer, and bring no more to an address than came from it, unless
 * it is link-local: those cannot be forged from afar.
 */
export const meshNodeTarget: Target = {
  name: 'mesh-node',
  share: 1,
  seeds: [
    writeFrames(written.map((bytes) => ({ circumstances: 0, bytes }))),
    writeFrames(written.map((bytes) => ({ circumstances: INSIDE_TUNNEL, bytes }))),
    ...written.map((bytes) => writeFrames([{ circumstances: OTHER_SOURCE, bytes }])),
  ],
  outcomes: ['quiet', 'answered'],
  run(input) {
    const node = newNode();
    let [now, received, sent] = [millis(0), 0, 0];
    for (const { circumstances, bytes } of readFrames(input, 12)) {
      const from = SOURCES[(circumstances & OTHER_SOURCE) === 0 ? 0 : 1];
      if ((circumstances & LATER) !== 0) now = after(now, millis(1000));
      node.handleTimeout(now);
      drain(node);
      if ((circumstances & INSIDE_TUNNEL) === 0) node.handle({ kind: 'datagram', datagram: bytes, from }, now);
      else node.handle({ kind: 'tunnel-datagram', datagram: bytes, from: from.address }, now);
      if (from === SOURCES[1]) received += bytes.length;
      sent += drain(node);
      assert.ok(sent <= received, `${sent} bytes sent for ${received}`);
    }
    assert.deepEqual(node.status().nodes, []);
    return sent > 0 ? 'answered' : 'quiet';
  },
};

function newNode(): MeshNode {
  const random = new Random(3, 3);
  const primitives = { ...identityPrimitives, randomBytes: (length: number) => random.bytes(length) };
  const node = new MeshNode({
    ...{ meshName: 'test', identitySeed: new Uint8Array(32).fill(9), ...key },
    ...{
      hostName: 'node',
      storedSequence: 0,
      trust: { mode: 'open' },
      bootstrap: [],
      mayRelay: true,
      interfaceMtu: 1420,
      networks: [],
      imports: [],
    },
    ...{ primitives, unixTime: () => NOW },
  });
  node.handle({ kind: 'links', links: [{ index: 1, name: 'eth0', addresses: [] }] }, millis(0));
  drain(node);
  return node;
}

/** @returns the bytes that were sent to the address that may be forged */
function drain(node: MeshNode): number {
  let sent = 0;
  for (let output = node.poll(); output !== undefined; output = node.poll()) {
    assert.notEqual(output.kind, 'configure', 'a peer was made');
    assert.notEqual(output.kind, 'tunnel-send', 'sent to nobody');
    if (output.kind === 'send' && output.to === SOURCES[1]) sent += output.datagram.length;
  }
  return sent;
}

function toBytes(values: readonly number[]): Uint8Array {
  return Uint8Array.from(values);
}
