import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { millis } from '../machine/index.ts';
import type { Peer } from '../wireguard/index.ts';
import { PeerReports } from './peer-reports.ts';

describe('what is told of peers', () => {
  it('is told once a second for each, whoever comes between', () => {
    const [a, b] = ['a', 'b'].map((name) => ({ name }) as unknown as Peer);
    const told: string[] = [];
    let now = millis(0);
    const reports = new PeerReports((peer, errno) =>
      told.push(`${now} ${(peer as unknown as { name: string }).name} ${errno}`),
    );
    for (let at = 0; at <= 2500; at += 100) {
      now = millis(at);
      reports.note(a, now);
      if (at >= 500 && at % 200 === 100) reports.note(b, now, 111);
    }
    assert.deepEqual(told, ['0 a 0', '500 b 111', '1000 a 0', '1500 b 111', '2000 a 0', '2500 b 111']);
  });
});
