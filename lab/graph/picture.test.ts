import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseScenario } from '../scenario/scenario-file.ts';
import { drawScenario, type LiveNode } from './picture.ts';

const SCENARIO = parseScenario(
  `title = "A & B"
[[node]]
name = "a"
[[node]]
name = "b"
[[node]]
name = "c"
kind = "none"
[[link]]
between = ["a", "b"]
delay = "20 ms"
loss = "1 %"
[[link]]
name = "lan"
between = ["a", "b", "c"]
`,
  'a.toml',
);

describe('a picture of a scenario', () => {
  it('shows nodes, links and what these do, and is well-formed', () => {
    const svg = drawScenario(SCENARIO);
    assert.match(svg, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 [\d.]+ [\d.]+">/);
    assert.match(svg, />A &amp; B<\/text>/);
    assert.match(svg, />20 ms, 1 % loss<\/text>/);
    assert.equal(svg.match(/<line /g)?.length, 1 + 3);
    assert.equal(svg.match(/<circle class="node/g)?.length, 3);
    assert.ok(!/NaN|undefined/.test(svg));
    assert.equal(svg.match(/<g>/g)?.length, svg.match(/<\/g>/g)?.length);
  });

  it('shows of a lab that is up what is cut, who is dead, tunnels once each, and routes', () => {
    const up: LiveNode = { isRunning: true, tunnels: ['b'], routes: ['fd77::2 via fe80::2 dev wg-b'] };
    const dead: LiveNode = { isRunning: false, tunnels: ['a'], routes: [] };
    const nodes = new Map([['a', up], ['b', dead], ['c', dead]]); // prettier-ignore
    const svg = drawScenario(SCENARIO, { cutLinks: new Set(['a-b']), nodes });
    assert.equal(svg.match(/class="link cut"/g)?.length, 1);
    assert.equal(svg.match(/class="node dead"/g)?.length, 1, 'c has no daemon to be dead');
    assert.equal(svg.match(/class="tunnel"/g)?.length, 1);
    assert.match(svg, />tunnels: 1, routes: 1</);
    assert.match(svg, /<title>a: wiremesh\nfd77::2 via fe80::2 dev wg-b<\/title>/);
  });
});
