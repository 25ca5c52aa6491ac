import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterEach, it } from 'node:test';
import { setRealTime } from './real-time.ts';

/** Priority and policy of a thread are fields 18 and 41 of proc(5)'s stat; real-time 1 shows as -2. */
const scheduling = (stat: string): [priority: number, policy: number] => {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return [Number(fields[15]), Number(fields[38])];
};
const own = () => scheduling(readFileSync('/proc/thread-self/stat', 'latin1'));

afterEach(() => void setRealTime(false));

it('puts the calling thread ahead of the others and back', () => {
  assert.equal(setRealTime(true), true);
  assert.deepEqual(own(), [-2, 1]);
  assert.equal(setRealTime(false), true);
  assert.deepEqual(own(), [20, 0]);
});

it('leaves what the thread starts as it was', () => {
  setRealTime(true);
  const { stdout } = spawnSync('cat', ['/proc/self/stat'], { encoding: 'latin1' });
  assert.deepEqual(scheduling(stdout), [20, 0]);
});

it('says that the host does not allow it', () => {
  const script = `const { setRealTime } = await import('${new URL('./real-time.js', import.meta.url).href}');
    console.log(setRealTime(true));`;
  const argv = ['--bounding-set', '-sys_nice', '--inh-caps', '-sys_nice', process.execPath, '--input-type=module'];
  const { stdout } = spawnSync('setpriv', [...argv, '-e', script], { encoding: 'utf8' });
  assert.equal(stdout, 'false\n');
});
