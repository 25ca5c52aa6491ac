import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decode, encode, rfc8949EncodeOptions } from 'cborg';
import fc from 'fast-check';
import { identityPrimitives } from '../crypto/node.ts';
import { madeUpSignature, openSslVerifies, SMALL_ORDER_KEYS } from '../crypto/small-order-for-testing.ts';
import { parseEndpoint, parsePrefix } from '../inet/index.ts';
import { after, millis } from '../machine/index.ts';
import {
  DESCRIPTION_LIFE,
  MAX_DESCRIPTION_BYTES,
  MAX_SEQUENCE,
  readDescription,
  signDescription,
  type DescriptionContent,
} from './description.ts';
import { domain } from './domain.ts';
import { identityFromSeed } from './identity.ts';
import { provedKey } from './wireguard-key-for-testing.ts';

const NOW = millis(1_800_000_000_000);
const identity = identityFromSeed(new Uint8Array(32).fill(1), identityPrimitives);

function endpoint(text: string) {
  const parsed = parseEndpoint(text);
  assert.ok(parsed);
  return parsed;
}

const content: DescriptionContent = {
  meshName: 'test',
  ...provedKey(new Uint8Array(32).fill(2), identity.publicKey),
  sequence: NOW,
  issuedAt: NOW,
  expiresAt: after(NOW, DESCRIPTION_LIFE),
  hostName: 'höst.example',
  endpoints: [
    { endpoint: endpoint('192.0.2.1:51820'), kind: 'interface' },
    { endpoint: endpoint('[2001:db8::1]:7'), kind: 'configured' },
  ],
  networks: [{ prefix: parsePrefix('10.0.0.0/8')!, kind: 1, preference: 100 }],
  capabilities: ['relay', 7],
  membershipCertificate: Uint8Array.of(1, 2, 3),
};

const sign = (change: Partial<DescriptionContent> = {}) =>
  signDescription({ ...content, ...change }, identity, identityPrimitives);
const read = (bytes: Uint8Array, now = NOW) => readDescription(bytes, 'test', identityPrimitives, now);

/** Signs the CBOR of `payload`, whatever it is. */
function signPayload(payload: Uint8Array): Uint8Array {
  return Uint8Array.of(...identityPrimitives.sign(identity.seed, signedMessage(payload)), ...payload);
}

function signedMessage(payload: Uint8Array): Uint8Array {
  return Uint8Array.of(...domain('wiremesh description v1'), ...payload);
}

function mapOf(bytes: Uint8Array): Map<number, unknown> {
  return decode(bytes.subarray(64), { useMaps: true }) as Map<number, unknown>;
}

describe('a description', () => {
  it('is read as it was signed', () => {
    assert.deepEqual(read(sign().bytes), sign());
  });

  it('is read though it has keys of a later version, and carries them along', () => {
    const map = mapOf(sign().bytes).set(99, ['from', 'the', 'future']);
    const bytes = signPayload(encode(map, rfc8949EncodeOptions));
    const description = read(bytes);
    assert.ok(typeof description !== 'string');
    assert.equal(description.bytes, bytes);
  });

  it('may have endpoints of a later kind, which are passed over', () => {
    const map = mapOf(sign().bytes);
    map.set(9, [...(map.get(9) as unknown[]), [Uint8Array.of(192, 0, 2, 7), 9, 77]]);
    const description = read(signPayload(encode(map, rfc8949EncodeOptions)));
    assert.ok(typeof description !== 'string');
    assert.equal(description.endpoints.length, 2);
  });

  it('is as old as its times say', () => {
    const { bytes, expiresAt } = sign();
    assert.equal(read(bytes, expiresAt), 'description-expired');
    assert.notEqual(typeof read(bytes, millis(expiresAt - 1)), 'string');
    assert.equal(read(bytes, millis(NOW - 7 * 24 * 3600 * 1000)), 'description-expires-too-late');
  });

  it('of another version, mesh, or with a sequence number that leaves no next one, is dropped', () => {
    const other = (key: number, value: unknown) =>
      read(signPayload(encode(mapOf(sign().bytes).set(key, value), rfc8949EncodeOptions)));
    for (const version of [1, 3]) assert.equal(other(1, version), 'description-unknown-version');
    assert.equal(other(2, 'other'), 'description-foreign-mesh');
    assert.equal(other(5, MAX_SEQUENCE + 1), 'description-contradicts-itself');
    assert.equal(other(5, 2n ** 60n), 'description-malformed');
    assert.equal(other(4, new Uint8Array(31)), 'description-malformed');
    assert.equal(other(13, new Uint8Array(63)), 'description-malformed');
    assert.equal(other(8, 'x'.repeat(256)), 'description-malformed');
    assert.equal(other(9, Array(17).fill([Uint8Array.of(1, 2, 3, 4), 1, 1])), 'description-malformed');
    assert.equal(other(9, [[Uint8Array.of(1, 2, 3), 1, 1]]), 'description-malformed');
  });

  it('names a WireGuard key only with a proof made by that key, for this identity, in this mesh', () => {
    const key = new Uint8Array(32).fill(2);
    const victim = identityFromSeed(new Uint8Array(32).fill(5), identityPrimitives);
    const victims = provedKey(key, victim.publicKey);
    const thefts = [
      { wireGuardKeyProof: new Uint8Array(64) },
      // What everybody can see of the owner of the key.
      victims,
      provedKey(key, identity.publicKey, 'another mesh'),
      // A proof of one's own, for the key of somebody else.
      { wireGuardPublicKey: provedKey(new Uint8Array(32).fill(3), identity.publicKey).wireGuardPublicKey },
      { wireGuardPublicKey: new Uint8Array(32) },
    ];
    for (const theft of thefts) assert.equal(read(sign(theft).bytes), 'description-key-not-proved');
  });

  it('has one encoding only', () => {
    const entries = [...mapOf(sign().bytes)].reverse();
    const unsorted = encode(new Map(entries), { mapSorter: () => 0 });
    assert.equal(read(signPayload(unsorted)), 'description-not-canonical');
    const payload = sign().bytes.subarray(64);
    assert.equal(read(signPayload(Uint8Array.of(...payload, 0))), 'description-malformed');
  });

  it('says its host name without anything that a terminal could obey', () => {
    const map = mapOf(sign().bytes).set(8, 'a\u001b[2J\u202e b\n');
    const description = read(signPayload(encode(map, rfc8949EncodeOptions)));
    assert.equal(typeof description === 'string' ? description : description.hostName, 'a?[2J??b?');
  });

  it('of an identity for which anybody can make up signatures is dropped, though OpenSSL verifies it', () => {
    const signature = madeUpSignature();
    for (const key of SMALL_ORDER_KEYS) {
      const payloads = Array.from({ length: 128 }, (_, i) =>
        encode(mapOf(sign({ sequence: NOW + i }).bytes).set(3, key), rfc8949EncodeOptions),
      );
      const believed = payloads.filter((payload) => openSslVerifies(key, signedMessage(payload), signature));
      assert.ok(believed.length > 0);
      for (const payload of believed) {
        assert.equal(read(Uint8Array.of(...signature, ...payload)), 'description-weak-identity');
      }
    }
  });

  it('costs no more to refuse than a signature costs to verify, however deep it is', () => {
    const quickest = (run: () => unknown) => {
      const times = Array.from({ length: 30 }, () => {
        const startedAt = performance.now();
        run();
        return performance.now() - startedAt;
      });
      return Math.min(...times);
    };
    const verifying = quickest(() => identityPrimitives.verify(identity.publicKey, new Uint8Array(4032), sign().bytes));
    for (const head of [0x81, 0xa1, 0x9f, 0xc2]) {
      const deep = new Uint8Array(MAX_DESCRIPTION_BYTES).fill(head);
      assert.equal(read(deep), 'description-malformed');
      assert.ok(quickest(() => read(deep)) < verifying + 0.1);
    }
  });

  it('never exceeds 4 KiB', () => {
    assert.throws(() => sign({ membershipCertificate: new Uint8Array(MAX_DESCRIPTION_BYTES) }), RangeError);
    assert.equal(read(new Uint8Array(MAX_DESCRIPTION_BYTES + 1)), 'description-oversized');
  });
});

describe('what the network makes of a description', () => {
  it('is a reason to drop it, never an exception', () => {
    const { bytes } = sign();
    const mutation = fc.array(fc.record({ at: fc.nat(bytes.length - 1), to: fc.nat(255) }), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(mutation, fc.nat(bytes.length), (changes, length) => {
        const mutated = Uint8Array.from(bytes);
        for (const { at, to } of changes) mutated[at] = to;
        const unchanged = mutated.every((byte, i) => byte === bytes[i]) && length === 0;
        assert.equal(typeof read(mutated.subarray(0, bytes.length - length)), unchanged ? 'object' : 'string');
      }),
      { numRuns: 2000 },
    );
  });

  it('is still no exception where the owner of the key means harm', () => {
    const { bytes } = sign();
    const value = fc.anything({ withBigInt: true, withMap: true, withTypedArray: true, maxDepth: 3 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), value, fc.uint8Array({ maxLength: 200 }), (key, strange, raw) => {
        read(signPayload(raw));
        let payload: Uint8Array;
        try {
          payload = encode(mapOf(bytes).set(key, strange), rfc8949EncodeOptions);
        } catch {
          return;
        }
        const description = read(signPayload(payload));
        if (typeof description !== 'string') signDescription(description, identity, identityPrimitives);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('an identity', () => {
  it('has the address that the digest of its public key gives', () => {
    // Public key of RFC 8032 §7.1, test 1; its SHA-224 by `sha224sum`.
    const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
    const { nodeId, address, publicKey } = identityFromSeed(Uint8Array.from(seed), identityPrimitives);
    assert.equal(
      Buffer.from(publicKey).toString('hex'),
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    );
    assert.equal(nodeId, '06ff83f1df3c4b64b13de2a6a3136ce7bdffafe15997f12d7c823484');
    assert.equal(Buffer.from(address.bytes).toString('hex'), `fd77${nodeId.slice(0, 28)}`);
  });
});
