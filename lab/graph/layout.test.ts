import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseScenario } from '../scenario/scenario-file.ts';
import { layOut } from './layout.ts';

function edgesOf(topology: string): { count: number; edges: [number, number][] } {
  const { nodes, links } = parseScenario(`title = "x"\n[topology]\n${topology}`, 'a.toml');
  const index = (name: string) => nodes.findIndex((node) => node.name === name);
  return { count: nodes.length, edges: links.map(({ ends }) => [index(ends[0].node), index(ends[1].node)]) };
}

describe('a layout', () => {
  it('has no links that cross, and all of about one length, for a line, a ring and a grid', () => {
    for (const topology of [
      'shape = "line"\nnodes = 5',
      'shape = "ring"\nnodes = 10',
      'shape = "grid"\nwidth = 4\nheight = 4',
    ]) {
      const { count, edges } = edgesOf(topology);
      const points = layOut(count, edges);
      const lengths = edges.map(([a, b]) => Math.hypot(points[a].x - points[b].x, points[a].y - points[b].y));
      assert.ok(Math.min(...lengths) > 0.6 && Math.max(...lengths) < 1.7, `${topology}: ${lengths.join(' ')}`);
      for (const [i, [a, b]] of edges.entries()) {
        for (const [c, d] of edges.slice(0, i)) {
          const apart = new Set([a, b, c, d]).size === 4;
          const side = (p: number, q: number, r: number) => Math.sign((points[q].x - points[p].x) * (points[r].y - points[p].y) - (points[q].y - points[p].y) * (points[r].x - points[p].x)); // prettier-ignore
          const cross = side(a, b, c) !== side(a, b, d) && side(c, d, a) !== side(c, d, b);
          assert.ok(!apart || !cross, `${topology}: ${a}-${b} crosses ${c}-${d}`);
        }
      }
    }
  });

  it('has a place for a node alone, and for parts that no link joins', () => {
    for (const points of [
      layOut(1, []),
      layOut(4, [
        [0, 1],
        [2, 3],
      ]),
    ]) {
      // prettier-ignore
      assert.ok(points.every(({ x, y }) => Number.isFinite(x) && Number.isFinite(y)));
    }
  });
});
