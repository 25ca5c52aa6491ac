import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DeviceChange } from '../wireguard/index.ts';
import { Conversation } from './uapi-socket.ts';

const KEY = '11'.repeat(32);
const isWiped = (key: Uint8Array | undefined): boolean => key?.every((byte) => byte === 0) ?? false;

/** Plays `lines`. @returns what the device was told, if it was, and what it had been told then */
async function converse(lines: readonly string[], refuse = false) {
  let told: DeviceChange | undefined;
  let wasWiped = false;
  const configure = async (change: DeviceChange): Promise<void> => {
    told = change;
    wasWiped = isWiped(change.privateKey);
    if (refuse) throw new Error('refused');
  };
  const state = {
    privateKey: new Uint8Array(32).fill(0x11),
    publicKey: new Uint8Array(32),
    listenPort: 0,
    fwmark: 0,
    peers: [],
  };
  const conversation = new Conversation({ configure, state: async () => state }, () => undefined);
  let answer = '';
  for (const line of lines) answer += (await conversation.handleLine(line))?.text ?? '';
  return { told, wasWiped, state, answer };
}

describe('UAPI keeps no key', () => {
  const set = ['set=1', `private_key=${KEY}`, `public_key=${KEY}`, `preshared_key=${KEY}`, ''];
  for (const refuse of [false, true]) {
    it(`that it has handed to a device which ${refuse ? 'refused' : 'took'} it`, async () => {
      const { told, wasWiped } = await converse(set, refuse);
      assert.equal(wasWiped, false);
      assert.ok(isWiped(told?.privateKey) && isWiped(told?.peers?.[0].presharedKey));
    });
  }

  it('that it has shown', async () => {
    const { state, answer } = await converse(['get=1', '']);
    assert.ok(answer.includes(`private_key=${KEY}\n`));
    assert.ok(isWiped(state.privateKey));
  });
});
