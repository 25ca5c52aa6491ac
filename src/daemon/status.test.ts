import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PathCounters } from '../device/index.ts';
import { dropsOfDevice } from './status.ts';

describe('what the device dropped', () => {
  it('stands in the status by reason, in the spelling of the other reasons, where it happened', () => {
    const counters = { sendQueueFull: 3, noRoute: 0, outOfPlace: 1 } as unknown as PathCounters;
    assert.deepEqual(dropsOfDevice(counters), { 'send-queue-full': 3, 'out-of-place': 1 });
  });
});
