import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatPrefix, parsePrefix } from '../inet/index.ts';
import { millis, seconds, type Millis } from '../machine/index.ts';
import type { PeerChange } from '../wireguard/configuration.ts';
import type { ImportRule } from './entitlement.ts';
import { Gateways, MAX_DESTINATIONS, ROUTED } from './gateways.ts';

const EVERYWHERE = '0.0.0.0/0';

function rule(text: string, from: 'any' | string[], covers: ImportRule['covers'] = 'exactly'): ImportRule {
  return { prefix: parsePrefix(text)!, covers, from: from === 'any' ? from : new Set(from) };
}

/** Gateways in virtual time, which keeps what the device and the kernel were told. */
class Rig {
  readonly gateways: Gateways;
  now: Millis = millis(0);
  /** By prefix, the node that has it as allowed IP. */
  readonly allowedIps = new Map<string, string>();
  readonly acceptFrom = new Map<string, string[]>();
  readonly routes = new Set<string>();
  /** `NAME PREFIX`, with what happened to it. */
  readonly events: string[] = [];
  /** By WireGuard key, the node id. */
  readonly #nodeIds = new Map<string, string>();

  constructor(imports: ImportRule[], own: string[] = []) {
    this.gateways = new Gateways({ imports, own: own.map((text) => parsePrefix(text)!) });
  }

  describe(nodeId: string, offers: Record<string, number>, key = 1): void {
    const wireGuardPublicKey = new Uint8Array(32).fill(nodeId.charCodeAt(0)).fill(key, 1, 2);
    this.#nodeIds.set(wireGuardPublicKey.join(), nodeId);
    const networks = Object.entries(offers).map(([text, preference]) => ({
      ...{ prefix: parsePrefix(text)!, kind: ROUTED, preference },
    }));
    this.gateways.handleDescription({ nodeId, wireGuardPublicKey, networks }, this.now);
    this.#drain();
  }

  path(nodeId: string, metric: number | undefined): void {
    this.gateways.handlePath(nodeId, metric, this.now);
    this.#drain();
  }

  gone(nodeId: string): void {
    this.gateways.handleGone(nodeId, this.now);
    this.#drain();
  }

  /** Lets time pass, with every timeout in its turn. */
  pass(time: Millis): void {
    const end = this.now + time;
    for (let due = this.gateways.nextTimeout(); due !== undefined && due <= end; due = this.gateways.nextTimeout()) {
      assert.ok(due > this.now, 'a timeout that is due stays due');
      this.now = due;
      this.gateways.handleTimeout(due);
      this.#drain();
    }
    this.now = millis(end);
  }

  inUse(prefix = EVERYWHERE): string | undefined {
    return this.allowedIps.get(prefix);
  }

  #drain(): void {
    for (let output = this.gateways.poll(); output !== undefined; output = this.gateways.poll()) {
      if (output.kind === 'route') {
        if (output.isWanted) this.routes.add(formatPrefix(output.prefix));
        else this.routes.delete(formatPrefix(output.prefix));
        continue;
      }
      if (output.kind !== 'configure') {
        const what = output.kind === 'refused' ? output.reason : output.kind;
        this.events.push(`${output.nodeId} ${formatPrefix(output.prefix)} ${what}`);
        continue;
      }
      for (const peer of output.peers) this.#configure(peer);
    }
  }

  #configure({ publicKey, updateOnly, acceptFrom, allowedIps = [] }: PeerChange): void {
    assert.ok(updateOnly);
    const nodeId = this.#nodeIds.get(publicKey.join())!;
    if (acceptFrom) this.acceptFrom.set(nodeId, acceptFrom.map(formatPrefix));
    for (const { prefix, remove } of allowedIps) {
      if (!remove) this.allowedIps.set(formatPrefix(prefix), nodeId);
      else if (this.inUse(formatPrefix(prefix)) === nodeId) this.allowedIps.delete(formatPrefix(prefix));
    }
  }
}

/** Both can be reached, `a` is preferred and in use. */
function twoGateways(): Rig {
  const rig = new Rig([rule(EVERYWHERE, ['a', 'b'])]);
  rig.describe('a', { [EVERYWHERE]: 200 });
  rig.describe('b', { [EVERYWHERE]: 100 });
  rig.path('a', 96);
  rig.path('b', 96);
  return rig;
}

/** The same with equal preferences. */
function equalGateways(): Rig {
  const rig = new Rig([rule(EVERYWHERE, 'any')]);
  for (const nodeId of ['a', 'b']) {
    rig.describe(nodeId, { [EVERYWHERE]: 100 });
    rig.path(nodeId, 200);
  }
  return rig;
}

describe('the gateway to a network', () => {
  it('is the first that can be reached, and gets allowed IP and route', () => {
    const rig = new Rig([rule(EVERYWHERE, ['a', 'b'])]);
    rig.describe('a', { [EVERYWHERE]: 100 });
    rig.describe('b', { [EVERYWHERE]: 100 });
    assert.deepEqual([rig.inUse(), rig.routes.size, rig.events], [undefined, 0, []]);
    rig.path('b', 500);
    assert.equal(rig.inUse(), 'b');
    assert.deepEqual([...rig.routes], [EVERYWHERE]);
    assert.deepEqual(rig.events, ['b 0.0.0.0/0 chosen']);
  });

  it('may be any of those entitled, for what comes in', () => {
    assert.deepEqual(Object.fromEntries(twoGateways().acceptFrom), { a: [EVERYWHERE], b: [EVERYWHERE] });
  });

  it('is another in the moment in which it cannot be reached any more', () => {
    const rig = twoGateways();
    rig.path('a', undefined);
    assert.equal(rig.inUse(), 'b');
    assert.deepEqual([...rig.routes], [EVERYWHERE]);
  });

  it('is the preferred one again when that has been back for 5 s, and not before', () => {
    const rig = twoGateways();
    rig.path('a', undefined);
    rig.pass(seconds(60));
    rig.path('a', 96);
    rig.pass(millis(4999));
    assert.equal(rig.inUse(), 'b');
    rig.pass(millis(1));
    assert.equal(rig.inUse(), 'a');
    assert.deepEqual(rig.events, ['a 0.0.0.0/0 chosen', 'b 0.0.0.0/0 chosen', 'a 0.0.0.0/0 chosen']);
  });

  it('stays the standby while the preferred one comes and goes', () => {
    const rig = twoGateways();
    for (let i = 0; i < 20; i++) {
      rig.path('a', undefined);
      rig.pass(seconds(1));
      rig.path('a', 96);
      rig.pass(seconds(4));
    }
    assert.deepEqual(rig.events, ['a 0.0.0.0/0 chosen', 'b 0.0.0.0/0 chosen']);
  });

  it('is the third while the first comes and goes, if the third is better than the standby', () => {
    const rig = new Rig([rule(EVERYWHERE, 'any')]);
    for (const [i, nodeId] of ['a', 'b', 'c'].entries()) rig.describe(nodeId, { [EVERYWHERE]: 300 - 100 * i });
    rig.path('c', 96);
    rig.path('b', 96);
    for (let i = 0; i < 5; i++) {
      rig.path('a', 96);
      rig.pass(seconds(2));
      rig.path('a', undefined);
    }
    assert.equal(rig.inUse(), 'b');
  });

  it('is another when its preference falls', () => {
    const rig = twoGateways();
    rig.pass(seconds(10));
    rig.describe('a', { [EVERYWHERE]: 50 });
    assert.equal(rig.inUse(), 'b');
  });

  it('is, of equals, the nearer one, and then the one with the lower node id', () => {
    const rig = new Rig([rule(EVERYWHERE, 'any')]);
    rig.describe('z', { [EVERYWHERE]: 7 });
    rig.path('z', 10);
    for (const [nodeId, metric] of [
      ['d', 200],
      ['c', 96],
      ['b', 96],
    ] as const) {
      rig.describe(nodeId, { [EVERYWHERE]: 7 });
      rig.path(nodeId, metric);
    }
    rig.gone('z');
    assert.equal(rig.inUse(), 'b');
  });

  it('is a nearer one only if that has been clearly nearer for 10 s without a break', () => {
    const rig = equalGateways();
    rig.path('b', 190);
    rig.pass(seconds(100));
    assert.equal(rig.inUse(), 'a');
    rig.path('b', 100);
    rig.pass(millis(9999));
    assert.equal(rig.inUse(), 'a');
    rig.pass(millis(1));
    assert.equal(rig.inUse(), 'b');
  });

  it('does not change with a metric that jumps about', () => {
    const rig = equalGateways();
    for (let i = 0; i < 100; i++) {
      rig.path('b', i % 2 === 0 ? 96 : 400);
      rig.path('a', i % 3 === 0 ? 96 : 300);
      rig.pass(seconds(3));
    }
    assert.deepEqual(rig.events, ['a 0.0.0.0/0 chosen']);
  });

  it('stays, with its route, while no other can be reached, and that is told once', () => {
    const rig = twoGateways();
    rig.path('b', undefined);
    rig.path('a', undefined);
    rig.pass(seconds(100));
    assert.equal(rig.inUse(), 'a');
    assert.deepEqual([...rig.routes], [EVERYWHERE]);
    assert.deepEqual(rig.events, ['a 0.0.0.0/0 chosen', 'a 0.0.0.0/0 cut']);
    rig.path('a', 96);
    rig.path('a', undefined);
    assert.equal(rig.events.length, 3);
  });

  it('is gone, and the route with it, when nobody offers the network any more', () => {
    const rig = twoGateways();
    rig.describe('a', {});
    assert.equal(rig.inUse(), 'b');
    assert.deepEqual(rig.acceptFrom.get('a'), []);
    rig.describe('b', {});
    assert.deepEqual([rig.inUse(), rig.routes.size], [undefined, 0]);
  });

  it('keeps its route and gets its prefix again when it has a new WireGuard key', () => {
    const rig = twoGateways();
    rig.allowedIps.clear();
    rig.acceptFrom.clear();
    rig.describe('a', { [EVERYWHERE]: 200 }, 2);
    assert.equal(rig.inUse(), 'a');
    assert.deepEqual(rig.acceptFrom.get('a'), [EVERYWHERE]);
    assert.deepEqual([...rig.routes], [EVERYWHERE]);
  });

  it('leaves to other nodes their own addresses, also where it leads to all of IPv6', () => {
    const rig = new Rig([rule('::/0', ['a'])]);
    rig.describe('a', { '::/0': 100 });
    rig.path('a', 96);
    const parts = [...rig.allowedIps.keys()];
    assert.equal(parts.length, 16);
    assert.ok(parts.includes('::/1') && parts.includes('fd76::/16') && !parts.includes('fd77::/16'));
    assert.deepEqual(rig.acceptFrom.get('a'), parts);
    assert.deepEqual([...rig.routes], ['::/0']);
  });
});

describe('the gateways to watch', () => {
  it('are none where there is one way only', () => {
    const rig = twoGateways();
    rig.gone('b');
    assert.deepEqual([...rig.gateways.watched()], []);
  });

  it('are the one in use, and who is about to take over', () => {
    const rig = twoGateways();
    assert.deepEqual([...rig.gateways.watched()], ['a']);
    rig.path('a', undefined);
    assert.deepEqual([...rig.gateways.watched()], ['b']);
    rig.path('a', 96);
    assert.deepEqual([...rig.gateways.watched()], ['a', 'b']);
    rig.pass(seconds(5));
    assert.deepEqual([...rig.gateways.watched()], ['a']);
  });
});

describe('an offer', () => {
  const refusals: [why: string, imports: ImportRule[], prefix: string, reason: string][] = [
    ['that no import names', [], EVERYWHERE, 'offer-not-imported'],
    ['of a node that none is from', [rule(EVERYWHERE, ['a'])], EVERYWHERE, 'offer-of-another-node-wanted'],
    ['more specific than what is imported', [rule(EVERYWHERE, 'any')], '10.0.0.0/8', 'offer-not-imported'],
    ['less specific than what is imported', [rule('10.0.0.0/8', 'any', 'within')], EVERYWHERE, 'offer-not-imported'],
    [
      'more specific, of a node that may offer other things',
      [rule(EVERYWHERE, ['x']), rule('10.0.0.0/8', ['a'], 'within')],
      '10.1.0.0/16',
      'offer-of-another-node-wanted',
    ],
    ['of a mesh address', [rule('::/0', 'any', 'within')], 'fd77::1/128', 'offer-of-mesh-addresses'],
    ['of all mesh addresses', [rule('fd77::/16', 'any')], 'fd77::/16', 'offer-of-mesh-addresses'],
    ['of our own network', [rule('10.0.0.0/8', 'any', 'within')], '10.9.0.0/16', 'offer-of-own-network'],
    ['of a part of our own network', [rule('10.0.0.0/8', 'any', 'within')], '10.9.1.0/24', 'offer-of-own-network'],
  ];
  for (const [why, imports, prefix, reason] of refusals) {
    it(`${why} is refused, and that is told once`, () => {
      const rig = new Rig(imports, ['10.9.0.0/16', '2001:db8::/32']);
      rig.describe('x', { [prefix]: 65535 });
      rig.path('x', 1);
      rig.describe('x', { [prefix]: 65535, '192.0.2.0/24': 1 });
      assert.deepEqual(
        rig.events.filter((event) => event.includes(` ${prefix} `)),
        [`x ${prefix} ${reason}`],
      );
      assert.deepEqual([rig.allowedIps.size, rig.routes.size], [0, 0]);
      assert.deepEqual(rig.acceptFrom.get('x') ?? [], []);
    });
  }

  it('inside of what is imported is taken', () => {
    const rig = new Rig([rule('10.77.0.0/16', 'any', 'within')], [EVERYWHERE, '10.77.0.1/32']);
    rig.describe('x', { '10.77.0.5/32': 100 });
    rig.path('x', 96);
    assert.equal(rig.inUse('10.77.0.5/32'), 'x');
  });

  it('of an address that somebody has is refused where anybody is believed, until that one has gone', () => {
    const rig = new Rig([rule('10.77.0.0/16', 'any', 'within')]);
    rig.describe('x', { '10.77.0.5/32': 0 });
    rig.describe('y', { '10.77.0.5/32': 65535 });
    rig.path('y', 1);
    assert.equal(rig.inUse('10.77.0.5/32'), undefined);
    rig.path('x', 999);
    rig.path('x', undefined);
    assert.equal(rig.inUse('10.77.0.5/32'), 'x');
    rig.gone('x');
    rig.path('y', 1);
    assert.equal(rig.inUse('10.77.0.5/32'), 'y');
    assert.deepEqual(rig.acceptFrom.get('y'), ['10.77.0.5/32']);
  });

  it('of an address that anybody has is taken from who is named', () => {
    const rig = new Rig([rule('10.77.0.0/16', 'any', 'within'), rule('10.77.0.5/32', ['y'])]);
    rig.describe('x', { '10.77.0.5/32': 100 });
    rig.describe('y', { '10.77.0.5/32': 200 });
    rig.path('x', 96);
    rig.path('y', 96);
    rig.pass(seconds(10));
    assert.equal(rig.inUse('10.77.0.5/32'), 'y');
  });

  it('of a kind, or with a preference, that does not exist is passed over', () => {
    const rig = new Rig([rule(EVERYWHERE, 'any')]);
    const prefix = parsePrefix(EVERYWHERE)!;
    for (const [nodeId, kind, preference] of [
      ['a', 2, 100],
      ['b', ROUTED, 65536],
    ] as const) {
      const networks = [{ prefix, kind, preference }];
      rig.gateways.handleDescription({ nodeId, wireGuardPublicKey: new Uint8Array(32), networks }, rig.now);
      rig.path(nodeId, 1);
    }
    assert.equal(rig.routes.size, 0);
  });

  it('finds no room when there are too many, and finds it when others have gone', () => {
    const rig = new Rig([rule(EVERYWHERE, 'any', 'within')]);
    const many = Array.from({ length: MAX_DESTINATIONS }, (_, i) => [`10.${i >> 8}.${i & 255}.0/24`, 1] as const);
    rig.describe('x', Object.fromEntries(many));
    rig.describe('y', { '192.0.2.0/24': 1 });
    rig.path('y', 1);
    assert.deepEqual(rig.events, ['y 192.0.2.0/24 offer-table-full']);
    rig.describe('x', {});
    rig.path('y', 1);
    assert.equal(rig.inUse('192.0.2.0/24'), 'y');
  });
});
