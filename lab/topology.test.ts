import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { linksOf, neighboursOf, nextHopsFrom, nodeNumbers, TOPOLOGIES, type Link } from './topology.ts';

describe('the links of a topology', () => {
  const cases: [string, Link[], Link[]][] = [
    ['line', linksOf('line', 4), [[1, 2], [2, 3], [3, 4]]], // prettier-ignore
    ['ring', linksOf('ring', 4), [[1, 2], [2, 3], [3, 4], [1, 4]]], // prettier-ignore
    ['ring of two', linksOf('ring', 2), [[1, 2]]],
    ['star', linksOf('star', 4), [[1, 2], [1, 3], [1, 4]]], // prettier-ignore
    ['full', linksOf('full', 4), [[1, 2], [1, 3], [2, 3], [1, 4], [2, 4], [3, 4]]], // prettier-ignore
  ];
  for (const [name, links, expected] of cases) {
    it(`are those of a ${name}, each once`, () => assert.deepEqual(links, expected));
  }

  it('leave no node alone, whatever the topology and the number', () => {
    for (const topology of TOPOLOGIES) {
      for (const count of [2, 3, 9]) {
        const links = linksOf(topology, count);
        for (const node of nodeNumbers(count)) assert.equal(nextHopsFrom(node, links).size, count - 1);
      }
    }
  });
});

describe('the next hops of a node', () => {
  it('lie on a shortest way: the other way round a ring when that is nearer', () => {
    const nextHops = nextHopsFrom(1, linksOf('ring', 6));
    assert.deepEqual(Object.fromEntries(nextHops), { 2: 2, 3: 2, 4: 2, 5: 6, 6: 6 });
  });

  it('lead every packet to its end when each node goes by its own', () => {
    const links = linksOf('ring', 7);
    for (const from of nodeNumbers(7)) {
      for (const to of nodeNumbers(7).filter((node) => node !== from)) {
        let at = from;
        for (let hops = 0; at !== to; hops++) {
          assert.ok(hops < 7, `a loop between ${from} and ${to}`);
          at = nextHopsFrom(at, links).get(to) ?? assert.fail('no next hop');
        }
      }
    }
  });

  it('are the neighbours themselves for the neighbours', () => {
    assert.deepEqual(neighboursOf(1, linksOf('star', 4)), [2, 3, 4]);
    assert.deepEqual(neighboursOf(3, linksOf('star', 4)), [1]);
  });
});
