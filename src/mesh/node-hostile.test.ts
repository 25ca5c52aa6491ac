import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { identityPrimitives } from '../crypto/node.ts';
import { endpointOf, parseAddress, type IpAddress } from '../inet/index.ts';
import { after, millis, seconds } from '../machine/index.ts';
import { signDescription, DESCRIPTION_LIFE, type Description } from './description.ts';
import { answerRequest } from './description-exchange.ts';
import { identityFromSeed } from './identity.ts';
import { DIGEST_BYTES, meshTag, NO_SIGNATURE, readMessage, writeMessage, type Hello } from './messages.ts';
import { NetworkForTesting, PORT, type HostOptions } from './network-for-testing.ts';
import { provedKey, type ProvedKey } from './wireguard-key-for-testing.ts';

const TAG = meshTag('test', identityPrimitives);

function network(): NetworkForTesting {
  return new NetworkForTesting(identityPrimitives);
}

function address(text: string): IpAddress {
  const parsed = parseAddress(text);
  assert.ok(parsed);
  return parsed;
}

/** On no link, with an address of the routed network. */
function routed(last: number, bootstrap: readonly number[] = []): HostOptions {
  const at = (n: number) => address(`192.0.2.${n}`);
  return { links: [], addresses: [at(last)], bootstrap: bootstrap.map((n) => endpointOf(at(n), PORT)) };
}

/** A stranger's description, right in all but what `change` makes wrong. */
function forged(sim: NetworkForTesting, number: number, change: Partial<Description> = {}): Description {
  const identity = identityFromSeed(
    Uint8Array.from({ length: 32 }, (_, i) => number >> (8 * (i % 4))),
    identityPrimitives,
  );
  const now = sim.unixTime();
  const content = {
    ...provedKey(identity.seed, identity.publicKey),
    ...{ meshName: 'test', sequence: now, hostName: `forged-${number}` },
    ...{ issuedAt: now, expiresAt: after(now, DESCRIPTION_LIFE), endpoints: [], networks: [], capabilities: [] },
  };
  return signDescription({ ...content, ...change }, identity, identityPrimitives);
}

/** As in a beacon, but for `fields`. */
function hello(fields: Partial<Hello>): Uint8Array {
  const nodeId = 'ab'.repeat(28);
  const unsigned = { target: undefined, signature: NO_SIGNATURE };
  const beacon = { nodeId, sequence: 1, knownSequence: 0, challenge: 0n, echo: 0n, pleaseAnswer: false, ...unsigned };
  return writeMessage({ kind: 'hello', ...beacon, ...fields }, TAG);
}

/** `impostor`, a host that runs nothing, offers `description` to `victim`, echoes its challenges and answers its requests. */
function offer(sim: NetworkForTesting, impostor: string, victim: string, description: Description): void {
  const to = sim.linkLocalEndpoint(victim);
  const { nodeId, sequence } = description;
  const before = sim.sent.length;
  sim.inject(impostor, hello({ nodeId, sequence }), to);
  for (let answered = before, parts = 0; parts < 5; parts++) {
    sim.runFor(millis(20));
    for (; answered < sim.sent.length; answered++) {
      const { host, datagram } = sim.sent[answered];
      const message = host === victim ? readMessage(datagram, TAG) : 'message-malformed';
      if (typeof message === 'string') continue;
      if (message.kind === 'hello' && message.pleaseAnswer) {
        sim.inject(impostor, hello({ nodeId, sequence, echo: message.challenge }), to);
      }
      if (message.kind !== 'description-request' || message.nodeId !== nodeId) continue;
      const part = answerRequest(message, description);
      if (part !== undefined) sim.inject(impostor, writeMessage(part, TAG), to);
    }
  }
}

/** What everybody can see of a host: its WireGuard key, and its proof. */
function keyOf(name: string): ProvedKey {
  const seed = identityPrimitives.sha224(Uint8Array.from(name, (letter) => letter.charCodeAt(0)));
  const identity = identityPrimitives.identityPublicKey(Uint8Array.of(...seed, 0, 0, 0, 0));
  return provedKey(Uint8Array.of(...seed, 1, 2, 3, 4), identity);
}

function namesOf(sim: NetworkForTesting, name: string): string[] {
  return sim
    .node(name)
    .status()
    .nodes.map(({ hostName }) => hostName);
}

function drops(sim: NetworkForTesting, name: string): Readonly<Record<string, number>> {
  return sim.node(name).status().drops;
}

describe('a hostile machine on the link', () => {
  function besieged(): NetworkForTesting {
    const sim = network();
    for (const name of ['a', 'b', 'evil']) sim.start(name);
    sim.kill('evil');
    sim.runFor(seconds(5));
    return sim;
  }

  const cases: [string, Partial<Description>, (description: Description) => Description][] = [
    ['description-wrong-signature', {}, (d) => ({ ...d, bytes: d.bytes.with(0, d.bytes[0] ^ 1) })],
    ['description-foreign-mesh', { meshName: 'another' }, (d) => d],
    ['description-expired', { issuedAt: millis(1), expiresAt: millis(2) }, (d) => d],
    ['description-contradicts-itself', { issuedAt: millis(2), expiresAt: millis(1) }, (d) => d],
    ['description-expires-too-late', { expiresAt: millis(9e14) }, (d) => d],
    ['description-malformed', {}, (d) => ({ ...d, bytes: d.bytes.subarray(0, 90) })],
  ];
  for (const [reason, change, spoil] of cases) {
    it(`has its description dropped as ${reason}`, () => {
      const sim = besieged();
      offer(sim, 'evil', 'a', spoil(forged(sim, 1, change)));
      assert.equal(drops(sim, 'a')[reason], 1);
      assert.equal(sim.node('a').status().nodes.length, 1);
    });
  }

  it('cannot make anybody go back to an older description', () => {
    const sim = besieged();
    const newer = forged(sim, 1, { sequence: 2_000_000_000_000 });
    offer(sim, 'evil', 'a', newer);
    offer(sim, 'evil', 'a', { ...forged(sim, 1, { hostName: 'older' }), sequence: 2_000_000_000_001 });
    assert.equal(drops(sim, 'a')['description-stale'], 1);
    assert.ok(
      sim
        .node('a')
        .status()
        .nodes.some(({ hostName }) => hostName === 'forged-1'),
    );
  });

  it('cannot take the WireGuard key of another node, nor ours, not even with the proof that the owner shows', () => {
    const sim = besieged();
    const [a, b] = ['a', 'b'].map((name) => keyOf(name));
    offer(sim, 'evil', 'a', forged(sim, 1, b));
    offer(sim, 'evil', 'a', forged(sim, 2, a));
    offer(sim, 'evil', 'a', forged(sim, 3, { wireGuardPublicKey: b.wireGuardPublicKey }));
    sim.runFor(seconds(30));
    assert.deepEqual(sim.up('a'), ['b']);
    assert.equal(drops(sim, 'a')['description-key-not-proved'], 3);
  });

  for (const attempts of [1, 10]) {
    it(`cannot take the place of a node that has no tunnel yet, with ${attempts} descriptions`, () => {
      const sim = network();
      // Too many for everybody to be everybody's neighbour: a knows b, and has no session with it.
      const names = ['a', 'b', ...Array.from({ length: 12 }, (_, i) => `n${i}`)];
      for (const name of names) sim.start(name);
      sim.attach('evil', {}, () => {});
      sim.runFor(seconds(60));
      for (let n = 0; n < attempts; n++) offer(sim, 'evil', 'a', forged(sim, n, keyOf('b')));
      for (let n = 0; n < 100; n++) {
        sim.sendData('a', 'b');
        sim.runFor(millis(20));
      }
      sim.runFor(seconds(5));
      assert.equal(sim.delivered.filter(({ host }) => host === 'b').length, 100);
      assert.equal(drops(sim, 'a')['description-key-not-proved'], attempts);
    });
  }

  it('that owns a key itself uses it under one identity: the first one stays', () => {
    const sim = besieged();
    const own = (number: number) => {
      const { identityKey } = forged(sim, number);
      return forged(sim, number, provedKey(new Uint8Array(32).fill(7), identityKey));
    };
    for (const number of [1, 2]) offer(sim, 'evil', 'a', own(number));
    const events = sim.eventsOf('a').filter((event) => event.startsWith('identity-contradiction'));
    assert.deepEqual(events, ['identity-contradiction forged-2']);
    assert.equal(namesOf(sim, 'a').includes('forged-1'), true);
  });

  it('fills no table: live nodes stay, and newcomers still get in', () => {
    const sim = besieged();
    for (let n = 0; n < 1100; n++) offer(sim, 'evil', 'a', forged(sim, n));
    sim.start('c');
    sim.runFor(seconds(30));
    // Made-up identities have a small table of their own; they drove out one another before, and everybody else.
    assert.ok(namesOf(sim, 'a').filter((name) => name.startsWith('forged')).length <= 64);
    assert.deepEqual(sim.up('a'), ['b', 'c']);
    assert.ok(drops(sim, 'a')['newcomer-rate-limited'] > 500);
    assert.deepEqual(namesOf(sim, 'b').sort(), ['a', 'c'], 'others hear nothing of them');
  });

  it('is answered no more than a rate allows, whatever it sends', () => {
    const sim = besieged();
    const before = sim.sent.filter(({ host }) => host === 'a').length;
    const to = sim.linkLocalEndpoint('a');
    for (let n = 0; n < 1000; n++) {
      const nodeId = n.toString(16).padStart(56, '0');
      sim.inject('evil', hello({ nodeId, challenge: 5n, pleaseAnswer: true }), to);
    }
    sim.runFor(seconds(10));
    const answers = sim.sent.filter(({ host }) => host === 'a').length - before;
    assert.ok(answers < 200, `${answers} answers`);
    assert.ok(drops(sim, 'a')['rate-limited'] > 900);
  });

  it('gets no more bytes sent to a forged address than it sent', () => {
    const sim = network();
    sim.start('a', routed(1));
    sim.start('victim', routed(2));
    sim.kill('victim');
    const forgedCall = hello({ challenge: 5n, pleaseAnswer: true });
    const before = sim.sent.length;
    sim.inject('victim', forgedCall, endpointOf(address('192.0.2.1'), PORT));
    sim.runFor(seconds(120));
    const toVictim = sim.sent.slice(before).filter(({ to }) => to !== undefined);
    assert.equal(
      toVictim.reduce((sum, { datagram }) => sum + datagram.length, 0),
      forgedCall.length,
    );
  });

  it('learns nothing of other nodes', () => {
    const sim = besieged();
    const before = sim.sent.length;
    const { nodeId } = sim.node('b');
    sim.inject(
      'evil',
      writeMessage({ kind: 'description-request', nodeId, nonce: 1n, offset: 0, length: 1200 }, TAG),
      sim.linkLocalEndpoint('a'),
    );
    sim.runFor(millis(50));
    assert.deepEqual(sim.sent.slice(before), []);
    assert.equal(drops(sim, 'a')['request-unanswerable'], 1);
  });

  it('cannot make a node outbid it with claims about its sequence number, nor doubt its identity', () => {
    const sim = besieged();
    const a = sim.node('a');
    const { nodeId, sequence } = a.status().self;
    for (let n = 1; n < 100; n++) {
      sim.inject('evil', hello({ sequence: 0, knownSequence: sequence + n, echo: 1n }), sim.linkLocalEndpoint('a'));
      sim.inject('evil', hello({ nodeId, sequence: sequence + n, echo: 1n }), sim.linkLocalEndpoint('a'));
      sim.inject('evil', hello({ nodeId, sequence: sequence + n }), sim.linkLocalEndpoint('a'));
      sim.runFor(seconds(1));
    }
    assert.equal(a.status().self.sequence, sequence);
    assert.ok(!sim.eventsOf('a').some((event) => event.startsWith('identity-contradiction')));
    assert.deepEqual(sim.up('b'), ['a']);
  });
});

describe('identities that somebody makes up', () => {
  for (const count of [1030, 10_300]) {
    it(`${count} of them drive out no node that we know through others, though we start again meanwhile`, () => {
      const sim = network();
      for (const name of ['a', 'b', 'evil']) sim.start(name, { links: [1] });
      sim.start('relay', { links: [1, 2] });
      sim.start('far', { links: [2] });
      sim.kill('evil');
      sim.runFor(seconds(60));
      const flood = (from: number, to: number) => {
        for (let n = from; n < to; n += 1) {
          const nodeId = n.toString(16).padStart(56, '0');
          sim.inject('evil', hello({ nodeId }), sim.linkLocalEndpoint('a'));
          if (n % 50 === 0) offer(sim, 'evil', 'a', forged(sim, n));
        }
      };
      flood(0, count / 2);
      assert.deepEqual(honest(sim, 'a'), ['b', 'far', 'relay']);
      sim.kill('a');
      sim.start('a');
      flood(count / 2, count);
      sim.runFor(seconds(40));
      assert.deepEqual(honest(sim, 'a'), ['b', 'far', 'relay']);
      assert.deepEqual(sim.up('a').includes('b'), true);
    });
  }

  it('are gone when they have had no session for a while', () => {
    const sim = network();
    for (const name of ['a', 'evil']) sim.start(name);
    sim.kill('evil');
    for (let n = 0; n < 10; n++) offer(sim, 'evil', 'a', forged(sim, n));
    assert.equal(namesOf(sim, 'a').filter((name) => name.startsWith('forged')).length, 10);
    sim.runFor(seconds(70));
    assert.deepEqual(honest(sim, 'a'), namesOf(sim, 'a'));
  });

  it('are asked for by a pinned node at a small rate only, and named in its log as seldom', () => {
    const sim = network();
    const nodeIds = new Set(['a', 'b'].map((name) => sim.start(name).nodeId));
    for (const name of ['a', 'b']) {
      sim.kill(name);
      sim.start(name, { trust: { mode: 'pinned', nodeIds } });
    }
    sim.attach('evil', {}, () => {});
    for (let n = 0; n < 200; n++) offer(sim, 'evil', 'a', forged(sim, n));
    const refused = sim.eventsOf('a').filter((event) => event.startsWith('refused'));
    assert.ok(refused.length >= 1 && refused.length <= 12, `${refused.length} lines`);
    sim.runFor(seconds(10));
    assert.deepEqual(sim.up('a'), ['b']);
  });
});

function honest(sim: NetworkForTesting, name: string): string[] {
  return namesOf(sim, name)
    .filter((other) => !other.startsWith('forged') && other !== 'evil')
    .sort();
}

describe('a member that asks cheap questions', () => {
  it('gets no more answers to its digests than comparisons need', () => {
    const sim = network();
    for (const name of ['a', 'b', 'c']) sim.start(name);
    sim.runFor(seconds(5));
    const before = sim.sentBytes.get('a') ?? 0;
    const from = sim.node('b').address;
    const digest = writeMessage({ kind: 'digest', digest: new Uint8Array(DIGEST_BYTES) }, TAG);
    for (let n = 0; n < 200; n++) sim.handle('a', { kind: 'tunnel-datagram', datagram: digest, from });
    const summary = (entries: number) => 16 + 36 * entries + 128;
    assert.ok((sim.sentBytes.get('a') ?? 0) - before <= 6 * summary(3));
    assert.ok(drops(sim, 'a')['summary-rate-limited'] > 100);
  });
});
