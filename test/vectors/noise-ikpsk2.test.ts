import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseAead } from '../../src/crypto/aead.ts';
import { nodePrimitives } from '../../src/crypto/node.ts';
import { Transcript } from '../../src/wireguard/noise.ts';
import { bytes, hex, readVectors } from './files.ts';

const primitives = nodePrimitives(chooseAead().aead);
const NOTHING = new Uint8Array(0);

/** Both sides' view of one handshake after the pattern IKpsk2 (Noise specification §9.4), with the keys of a vector. */
interface Side {
  readonly transcript: Transcript;
  readonly staticKey: Uint8Array;
  readonly ephemeral: Uint8Array;
  readonly presharedKey: Uint8Array;
}

type Vector = Readonly<Record<string, string>>;

function readVector(text: string): Vector {
  return Object.fromEntries(
    text
      .trim()
      .split('\n')
      .map((line) => line.split('=') as [string, string]),
  );
}

/** Where WireGuard's handshake differs from this one is its prologue alone, so the rest is its own code. */
function side(vector: Vector, role: 'init' | 'resp'): Side {
  const chainingKey = primitives.hash(new TextEncoder().encode(vector.handshake));
  const transcript = new Transcript(primitives, chainingKey, chainingKey.slice());
  transcript.mixHash(bytes(vector.prologue ?? ''));
  transcript.mixHash(primitives.publicKey(bytes(vector.resp_static)));
  return {
    transcript,
    staticKey: bytes(vector[`${role}_static`]),
    ephemeral: bytes(vector[`gen_${role}_ephemeral`]),
    presharedKey: bytes(vector.preshared_key),
  };
}

function mixEphemeral(transcript: Transcript, publicKey: Uint8Array): void {
  transcript.mixHash(publicKey);
  transcript.mixChainingKey(publicKey);
}

function mixSecret(transcript: Transcript, privateKey: Uint8Array, publicKey: Uint8Array): void {
  const secret = primitives.sharedSecret(privateKey, publicKey);
  assert.ok(secret);
  transcript.mixKey(secret);
}

/** `-> e, es, s, ss` */
function writeFirst(
  { transcript, staticKey, ephemeral }: Side,
  responder: Uint8Array,
  payload: Uint8Array,
): Uint8Array {
  const ephemeralPublic = primitives.publicKey(ephemeral);
  mixEphemeral(transcript, ephemeralPublic);
  mixSecret(transcript, ephemeral, responder);
  const sealedStatic = transcript.seal(primitives.publicKey(staticKey));
  mixSecret(transcript, staticKey, responder);
  return new Uint8Array([...ephemeralPublic, ...sealedStatic, ...transcript.seal(payload)]);
}

function readFirst({ transcript, staticKey }: Side, message: Uint8Array) {
  const ephemeral = message.subarray(0, 32);
  mixEphemeral(transcript, ephemeral);
  mixSecret(transcript, staticKey, ephemeral);
  const initiator = transcript.open(message.subarray(32, 80));
  assert.ok(initiator);
  mixSecret(transcript, staticKey, initiator);
  return { ephemeral, initiator, payload: transcript.open(message.subarray(80)) };
}

/** `<- e, ee, se, psk` */
function writeSecond(
  { transcript, ephemeral, presharedKey }: Side,
  remote: { ephemeral: Uint8Array; initiator: Uint8Array },
  payload: Uint8Array,
): Uint8Array {
  const ephemeralPublic = primitives.publicKey(ephemeral);
  mixEphemeral(transcript, ephemeralPublic);
  mixSecret(transcript, ephemeral, remote.ephemeral);
  mixSecret(transcript, ephemeral, remote.initiator);
  transcript.mixPresharedKey(presharedKey);
  return new Uint8Array([...ephemeralPublic, ...transcript.seal(payload)]);
}

function readSecond({ transcript, staticKey, ephemeral, presharedKey }: Side, message: Uint8Array) {
  const remote = message.subarray(0, 32);
  mixEphemeral(transcript, remote);
  mixSecret(transcript, ephemeral, remote);
  mixSecret(transcript, staticKey, remote);
  transcript.mixPresharedKey(presharedKey);
  return transcript.open(message.subarray(32));
}

describe('Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s', () => {
  for (const [index, text] of readVectors('noise-ikpsk2.txt').split('\n\n').entries()) {
    const vector = readVector(text);
    it(`comes out as the vectors say, through WireGuard's own transcript (${index + 1})`, () => {
      const [initiator, responder] = [side(vector, 'init'), side(vector, 'resp')];
      const responderPublic = primitives.publicKey(responder.staticKey);

      const first = writeFirst(initiator, responderPublic, bytes(vector.msg_0_payload));
      assert.equal(hex(first), vector.msg_0_ciphertext);
      const remote = readFirst(responder, first);
      assert.equal(hex(remote.payload), vector.msg_0_payload);

      const second = writeSecond(responder, remote, bytes(vector.msg_1_payload));
      assert.equal(hex(second), vector.msg_1_ciphertext);
      assert.equal(hex(readSecond(initiator, second)), vector.msg_1_payload);

      const keys = initiator.transcript.split();
      assert.deepEqual(keys, responder.transcript.split());
      for (const [i, key] of keys.entries()) {
        const sealed = primitives.seal(key, { high: 0, low: 0 }, bytes(vector[`msg_${i + 2}_payload`]), NOTHING);
        assert.equal(hex(sealed), vector[`msg_${i + 2}_ciphertext`]);
      }
    });
  }
});
