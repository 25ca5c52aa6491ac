import assert from 'node:assert/strict';
import { pino } from 'pino';
import { renderStatus } from '../../src/cli/status-table.ts';
import { textStream } from '../../src/daemon/log.ts';
import { nodeLabel, printableHostName, printableJson } from '../../src/printable.ts';
import type { Target } from './target.ts';

/** C0 but the line end, DEL, C1, marks of direction, what has no width, line ends of Unicode. */
const OBEYED = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/;

/** A table takes 3 ms to draw. */
const TABLE_EVERY = 32;

const lines: string[] = [];
const log = pino(
  { base: null },
  textStream((line) => lines.push(line)),
);

/** Where the name of a stranger goes: it takes up its place in a line and does nothing else. */
export const hostNameTarget: Target = {
  name: 'host-name',
  share: 1,
  seeds: ['gate-alpha.example', 'höst', 'हिन्दी', 'a\u001b[2Jb', 'ab\u202ec', 'x'.repeat(80), 'tw in'].map(utf16),
  tokens: ['\u001b]0;', '\u009b', '\n', '\u2028', '\u0301\u0301\u0301', '\u200b', '\u3164', '💻', '(06ff83f1)'].map(
    utf16,
  ),
  outcomes: ['shown as it is', 'made printable'],
  run(input) {
    const text = String.fromCharCode(...new Uint16Array(input.slice(0, input.length & ~1).buffer));
    const hostName = printableHostName(text);
    lines.length = 0;
    log.info(`tunnel to ${nodeLabel({ hostName, nodeId: 'ab'.repeat(28) })} up: ${text}`);
    assert.doesNotMatch(lines[0], OBEYED);
    assert.deepEqual([lines.length, lines[0].split('\n').length], [1, 2]);
    if (input.length % TABLE_EVERY === 0) checkTable(renderStatus(statusOf(text), 0, false));
    const json = JSON.stringify(statusOf(text), undefined, 2);
    assert.doesNotMatch(printableJson(json), OBEYED);
    assert.deepEqual(JSON.parse(printableJson(json)), JSON.parse(json));
    return hostName === text ? 'shown as it is' : 'made printable';
  },
};

function checkTable(table: string): void {
  assert.doesNotMatch(table, OBEYED);
  assert.equal(table.split('\n').length, 6);
}

function statusOf(hostName: string): Parameters<typeof renderStatus>[0] {
  const nodeId = 'be'.repeat(28);
  const node = { nodeId, address: 'fd77::1', hostName, rxBytes: 0, txBytes: 0, isNeighbour: true } as const;
  return {
    self: {
      ...{ nodeId: 'aa'.repeat(28), address: 'fd77::2', hostName: 'alpha', meshName: 'home', sequence: 1 },
      ...{ interface: 'wm0', port: 7077, wireGuardPublicKey: 'AAAA', trust: 'open', links: [], startedAtUnixMs: 0 },
    },
    nodes: [{ ...node, foundBy: 'beacon', state: 'up', path: 'direct' }],
    bootstraps: [],
    networks: { offered: [], imported: [] },
    host: { interfaceUp: true, changes: [] },
    drops: {},
  };
}

function utf16(text: string): Uint8Array {
  return new Uint8Array(Uint16Array.from({ length: text.length }, (_, i) => text.charCodeAt(i)).buffer);
}
