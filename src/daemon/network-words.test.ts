import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAddress, parsePrefix } from '../inet/index.ts';
import { describeNetworkEvent } from './network-words.ts';

const about = { nodeId: 'ab'.repeat(28), hostName: 'gate', address: parseAddress('fd77::1')!, endpoint: undefined, foundBy: 'beacon' } as const; // prettier-ignore
const everywhere = parsePrefix('0.0.0.0/0')!;
const laptop = parsePrefix('10.77.0.5/32')!;

describe('the words for events about networks', () => {
  it('tell which gateway is in use, and why', () => {
    const event = { ...about, kind: 'gateway-chosen', prefix: everywhere, reason: 'preference 100' } as const;
    const words = 'gateway for 0.0.0.0/0: gate (abababab), preference 100';
    assert.deepEqual(describeNetworkEvent(event.kind, event, 12), { level: 'info', words: `${words}, 12.0 ms` });
    assert.deepEqual(describeNetworkEvent(event.kind, event, undefined), { level: 'info', words });
  });

  it('warn when there is none', () => {
    const { level, words } = describeNetworkEvent(
      'gateway-cut',
      { ...about, kind: 'gateway-cut', prefix: everywhere },
      undefined,
    );
    assert.deepEqual([level, /no gateway for 0\.0\.0\.0\/0/.test(words)], ['warn', true]);
  });

  it('are for those who look closely where they are about one address, or an offer that is not believed', () => {
    const levels = (['gateway-chosen', 'gateway-cut', 'offer-refused'] as const).map(
      (kind) => describeNetworkEvent(kind, { ...about, kind, prefix: laptop }, undefined).level,
    );
    assert.deepEqual(levels, ['debug', 'debug', 'debug']);
  });
});
