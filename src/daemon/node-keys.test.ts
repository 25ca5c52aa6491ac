import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { readOrMakeKeys, storeKeys } from './node-keys.ts';
import { StateDirectory } from './state-directory.ts';

describe('the keys of a node', () => {
  const directory = mkdtempSync(join(tmpdir(), 'wiremesh-node-keys-'));
  after(() => rmSync(directory, { recursive: true }));
  let made = 0;
  const primitives = {
    randomBytes: (length: number) => new Uint8Array(length).fill(++made),
    publicKey: (privateKey: Uint8Array) => privateKey.map((byte) => byte ^ 0xff),
  };

  it('are made at the first start, written only when asked, and the same from then on', () => {
    const state = StateDirectory.open(directory);
    const first = readOrMakeKeys(state, 'persistent', primitives);
    assert.deepEqual(first.unstored, ['identity', 'wireguard']);
    assert.deepEqual(readdirSync(directory), []);
    storeKeys(state, first);
    assert.deepEqual(readOrMakeKeys(state, 'persistent', primitives), { ...first, unstored: [] });
    state.close();
  });

  it('include a new WireGuard key for each session where that is wanted, which is never written', () => {
    const state = StateDirectory.open(directory);
    const persistent = readOrMakeKeys(state, 'persistent', primitives);
    const perSession = readOrMakeKeys(state, 'per-session', primitives);
    assert.deepEqual(perSession.identitySeed, persistent.identitySeed);
    assert.notDeepEqual(perSession.wireGuard, persistent.wireGuard);
    assert.deepEqual(perSession.unstored, []);
    state.close();
  });
});
