import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { extname } from 'node:path';
import { describe, it } from 'node:test';

const extension = extname(import.meta.url);
const moduleUrl = (name: string): string => new URL(`./${name}${extension}`, import.meta.url).href;

/** In a process of its own: what is forbidden stays so. */
const PROGRAM = `
  import { readFileSync } from 'node:fs';
  import { forbidCoreDumps } from '${moduleUrl('core-dumps')}';
  import { libc } from '${moduleUrl('syscall')}';
  forbidCoreDumps();
  const PR_GET_DUMPABLE = 3;
  console.log(libc.prctl(PR_GET_DUMPABLE, 0));
  console.log(readFileSync('/proc/self/limits', 'latin1'));
`;

describe('a process that forbids core dumps', () => {
  it('has no room for one and is not dumpable', () => {
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', PROGRAM], { encoding: 'utf8' });
    assert.match(output, /^0\n/);
    assert.match(output, /^Max core file size +0 +0 /m);
  });
});
