import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Releases } from './releases.ts';

describe('what a daemon has taken', () => {
  it('is given back in reverse order, once, and past a step that fails', async () => {
    const seen: string[] = [];
    const releases = new Releases((error) => seen.push(`failed: ${(error as Error).message}`));
    releases.add(() => void seen.push('device'));
    releases.add(() => Promise.reject(new Error('route')));
    releases.add(async () => {
      await Promise.resolve();
      seen.push('socket');
    });
    await releases.run();
    await releases.run();
    assert.deepEqual(seen, ['socket', 'failed: route', 'device']);
  });
});
