/** Networks that nobody thought of: random links, random events, and what must be true in all of them at every moment. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { millis, seconds } from '../machine/index.ts';
import { BabelNetworkForTesting, type LinkForTesting } from './network-for-testing.ts';

const NODES = 7;
const TIMING = { shortHelloInterval: millis(500), helloInterval: seconds(2), updateInterval: seconds(8) };

const node = fc.nat(NODES - 1);
const edge = fc.record({
  members: fc.uniqueArray(node, { minLength: 2, maxLength: 4 }),
  kind: fc.constantFrom('wired' as const, 'tunnel' as const, 'wireless' as const),
  discovery: fc.constantFrom('multicast' as const, 'unicast' as const),
  rxcost: fc.integer({ min: 1, max: 600 }),
  delay: fc.integer({ min: 0, max: 120 }),
});
const event = fc.record({
  what: fc.constantFrom('cut' as const, 'heal' as const, 'lose' as const, 'notice' as const, 'flap' as const),
  link: fc.nat(100),
  wait: fc.integer({ min: 0, max: 6000 }),
});

/** Which nodes the links that are up join to `from`. */
function component(links: readonly LinkForTesting[], from: string): Set<string> {
  const reached = new Set([from]);
  for (let size = 0; size < reached.size;) {
    size = reached.size;
    const touching = links.filter(({ members, isUp }) => isUp && members.some(({ name }) => reached.has(name)));
    for (const { name } of touching.flatMap(({ members }) => members)) reached.add(name);
  }
  return reached;
}

describe('any network, whatever happens to its links', () => {
  it('has no loop at any moment, and in the end a way wherever there is one, and none elsewhere', () => {
    fc.assert(
      fc.property(
        fc.array(edge, { minLength: 4, maxLength: 12 }),
        fc.array(event, { maxLength: 14 }),
        fc.integer({ min: 1, max: 1_000_000 }),
        (edges, events, seed) => {
          const net = new BabelNetworkForTesting(seed);
          for (let i = 0; i < NODES; i++) net.addNode(`n${i}`);
          const links = edges.map(({ members, delay, ...options }) => {
            const discovery = options.kind === 'wireless' ? 'multicast' : options.discovery;
            const names = members.map((i) => `n${i}`);
            return net.connect(names, { ...options, discovery, delay: millis(delay), timing: TIMING });
          });
          net.check = () => net.assertNoLoops();
          for (const { what, link, wait } of events) {
            happen(net, links[link % links.length], what);
            net.runFor(millis(wait));
          }
          for (const link of links) link.loss = 0;
          net.runFor(seconds(60));
          for (const from of net.nodes.keys()) {
            const reached = component(links, from);
            for (const to of net.nodes.keys()) {
              assert.equal(Array.isArray(net.pathBetween(from, to)), reached.has(to), `${from} to ${to}`);
            }
          }
        },
      ),
      { numRuns: 100 },
    );
  });
});

function happen(
  net: BabelNetworkForTesting,
  link: LinkForTesting,
  what: 'cut' | 'heal' | 'lose' | 'notice' | 'flap',
): void {
  if (what === 'lose') link.loss = 0.3;
  else if (what !== 'notice') link.isUp = what === 'heal';
  if (what === 'cut' || what === 'lose' || what === 'heal') return;
  const [first, second] = link.members;
  net.act(first.name, (speaker, now) => speaker.neighbourLost(link.id, second.linkLocal, now));
  if (what === 'flap') link.isUp = true;
}
