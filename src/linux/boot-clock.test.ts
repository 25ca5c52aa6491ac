import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { bootTime } from './boot-clock.ts';

describe('the boot clock', () => {
  it('says how long the machine has been up, as /proc/uptime does, and never goes back', () => {
    const before = bootTime();
    const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000;
    const after = bootTime();
    // /proc/uptime has hundredths of a second.
    assert.ok(before <= uptime + 10 && uptime <= after + 10, `${before} ${uptime} ${after}`);
    assert.ok(before <= after);
  });
});
