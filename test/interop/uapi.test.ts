/** UAPI of wireguard-ts, side by side with that of Debian's wireguard-go. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { end, Host } from './hosts.ts';
import { nextInterfaceName, publicKeyOf, startDevice, type Implementation } from './tunnel.ts';
import { converse } from './uapi-client.ts';
import { DIALOGUES, OWN_PRIVATE_KEY, RESET, type Dialogue } from './uapi-dialogues.ts';

const OWN = Buffer.from(publicKeyOf(Buffer.from(OWN_PRIVATE_KEY, 'hex').toString('base64')), 'base64').toString('hex');
const bytes = (text: string): Buffer => Buffer.from(text.replaceAll('=OWN\n', `=${OWN}\n`), 'latin1');

/** Peers come in any order, and free ports are any. */
function comparable(state: string): string {
  const [device, ...peers] = state.replace(/errno=0\n\n$/, '').split(/^(?=public_key=)/m);
  return [device.replace(/listen_port=[3-6]\d{4}\n/, 'listen_port=FREE\n'), ...peers.sort(), 'errno=0\n\n'].join('');
}

async function hold({ before, says }: Dialogue, name: string): Promise<{ answer: string; was: string; is: string }> {
  assert.equal(await converse(name, RESET), 'errno=0\n\n');
  if (before !== undefined) assert.equal(await converse(name, bytes(`set=1\n${before.join('\n')}\n\n`)), 'errno=0\n\n');
  const was = comparable(await converse(name, 'get=1\n\n'));
  const heard = await converse(name, bytes(says));
  const answer = heard.startsWith('errno') || heard === '' ? heard : comparable(heard);
  return { answer, was, is: comparable(await converse(name, 'get=1\n\n')) };
}

describe('UAPI, said to wireguard-ts and to wireguard-go', () => {
  const hosts: Host[] = [];
  const children: Awaited<ReturnType<typeof startDevice>>[] = [];
  const [ours, theirs] = [nextInterfaceName(), nextInterfaceName()];

  before(async () => {
    for (const [name, implementation] of [
      [ours, 'wireguard-ts'],
      [theirs, 'wireguard-go'],
    ] as [string, Implementation][]) {
      const host = await Host.create('uapi');
      hosts.push(host);
      children.push(await startDevice(host, name, implementation, { env: { LOG_LEVEL: 'silent' } }));
    }
  });
  after(async () => {
    for (const child of children) await end(child);
    for (const host of hosts) await host.close();
  });

  for (const dialogue of DIALOGUES) {
    const { name, differs } = dialogue;
    it(differs === undefined ? name : `${name} (otherwise there, because ${differs.because})`, async () => {
      const our = await hold(dialogue, ours);
      if (differs !== undefined) return assert.match(our.answer + our.is, differs.ours);
      const their = await hold(dialogue, theirs);
      assert.equal(our.answer, their.answer);
      // An operation that fails changes nothing here. wireguard-go carries out each line as it comes.
      assert.equal(our.is, our.answer === 'errno=0\n\n' ? their.is : our.was);
    });
  }
});
