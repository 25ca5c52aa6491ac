/** Strangers who send more than anybody can answer, from many addresses: what those notice who know each other. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { identityPrimitives } from '../crypto/node.ts';
import { addressFromBytes, endpointOf, parseAddress, type Endpoint, type IpAddress } from '../inet/index.ts';
import { millis, seconds } from '../machine/index.ts';
import { meshTag, NO_SIGNATURE, readMessage, writeMessage, type Hello } from './messages.ts';
import { NetworkForTesting, PORT, type HostOptions } from './network-for-testing.ts';

const TAG = meshTag('test', identityPrimitives);

function routed(last: number, ...bootstrap: number[]): HostOptions {
  const at = (n: number) => parseAddress(`192.0.2.${n}`) as IpAddress;
  return { links: [], addresses: [at(last)], bootstrap: bootstrap.map((n) => endpointOf(at(n), PORT)) };
}

function stranger(number: number): Endpoint {
  return endpointOf(addressFromBytes(Uint8Array.of(10, number >> 16, (number >> 8) & 255, number & 255)), PORT);
}

const A = endpointOf(parseAddress('192.0.2.1') as IpAddress, PORT);

/** Of an identity that nobody has, which asks for a signature. */
function hello(identity: number, fields: Partial<Hello> = {}): Uint8Array {
  const nodeId = identity.toString(16).padStart(56, '0');
  const rest = { sequence: 1, knownSequence: 0, echo: 0n, target: undefined, signature: NO_SIGNATURE };
  return writeMessage({ kind: 'hello', nodeId, challenge: 5n, pleaseAnswer: true, ...rest, ...fields }, TAG);
}

describe('a flood of Hellos from strangers', () => {
  /** Nodes a and c, who have a path; `x` sends what it likes. `verified`: how many signatures were looked at. */
  function pair(): { sim: NetworkForTesting; verified: () => number } {
    let count = 0;
    const verify = (...parameters: Parameters<typeof identityPrimitives.verify>) => {
      count += 1;
      return identityPrimitives.verify(...parameters);
    };
    const sim = new NetworkForTesting({ ...identityPrimitives, verify });
    sim.start('a', routed(1));
    sim.start('c', routed(3, 1));
    sim.attach('x', { links: [], addresses: [parseAddress('192.0.2.9') as IpAddress] }, () => undefined);
    sim.runFor(seconds(10));
    assert.deepEqual(sim.up('a'), ['c']);
    return { sim, verified: () => count };
  }

  /** What `a` has sent since it had sent `before`. */
  function answersOf(sim: NetworkForTesting, before: number): { hello: Hello; to: Endpoint }[] {
    return sim.sent.slice(before).flatMap(({ host, datagram, to }) => {
      const message = readMessage(datagram, TAG);
      const isAnswer = host === 'a' && typeof message === 'object' && message.kind === 'hello' && to !== undefined;
      return isAnswer ? [{ hello: message, to }] : [];
    });
  }

  it('has a bounded number of signatures made, and none that is needed for who is known', () => {
    const { sim } = pair();
    const before = sim.sent.length;
    for (let n = 0; n < 10_000; n++) sim.inject('x', hello(n), A, stranger(n));
    sim.inject('c', hello(10_001), A);
    sim.runFor(millis(6));
    const signed = answersOf(sim, before).filter(({ hello: { signature } }) => signature.some((byte) => byte !== 0));
    assert.ok(signed.length <= 201, `${signed.length}`);
    assert.equal(signed.filter(({ to }) => to.address.bytes.at(-1) === 3 && to.address.bytes[0] === 192).length, 1);
  });

  it('has a bounded number of signatures looked at, and none that is needed for who is known', () => {
    const { sim, verified } = pair();
    const { nodeId } = sim.node('c');
    const before = sim.sent.length;
    for (let n = 0; n < 700; n++) sim.inject('x', hello(n), A, stranger(n));
    sim.inject('c', hello(10_001), A);
    sim.runFor(millis(6));
    const answers = answersOf(sim, before);
    assert.ok(answers.length > 600);
    sim.runFor(seconds(2));
    const looked = verified();
    // Each has what was sent to its address, and says that it is c.
    for (const { hello: asked, to } of answers) {
      sim.inject('x', hello(1, { nodeId, echo: asked.challenge, pleaseAnswer: false }), A, to);
    }
    const isOfC = ({ to }: { to: Endpoint }) => to.address.bytes[0] === 192;
    const ofC = answers.filter(isOfC).map(({ hello: asked }) => asked.challenge);
    sim.runFor(millis(5));
    const { drops } = sim.node('a').status();
    assert.ok(verified() - looked <= 202, `${verified() - looked}`);
    assert.ok(drops['hello-signature-unread'] > 300);
    sim.inject('c', hello(1, { nodeId, echo: ofC[0], pleaseAnswer: false }), A);
    sim.runFor(millis(6));
    assert.equal(sim.node('a').status().drops['hello-wrong-signature'], drops['hello-wrong-signature'] + 1);
  });
});

describe('ten sources with a thousand identities each', () => {
  it('are answered once at most for each identity, and keep no newcomer out', () => {
    const sim = new NetworkForTesting(identityPrimitives);
    sim.start('a', routed(1));
    sim.start('x', routed(9));
    sim.kill('x');
    for (let n = 0; n < 10_000; n++) {
      sim.inject('x', hello(n, { challenge: BigInt(n + 1) }), A, stranger(n % 10));
      if (n === 5000) sim.start('b', routed(2, 1));
      if (n % 100 === 0) sim.runFor(millis(100));
    }
    sim.runFor(seconds(10));
    const echoes = sim.sent.flatMap(({ host, datagram, to }) => {
      const message = readMessage(datagram, TAG);
      const isHello = host === 'a' && typeof message === 'object' && message.kind === 'hello';
      return isHello && to?.address.bytes[0] === 10 ? [message.echo] : [];
    });
    assert.ok(echoes.length > 100);
    assert.equal(new Set(echoes).size, echoes.length);
    assert.deepEqual(sim.up('a'), ['b']);
  });
});
