import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { pino } from 'pino';
import { textStream } from './log.ts';

describe('a log line for people', () => {
  const lines: string[] = [];
  const log = pino(
    { base: null },
    textStream((line) => lines.push(line)),
  );

  it('holds the time and the words, not the fields for machines', () => {
    log.info({ nodeId: 'abc' }, 'found alpha');
    assert.match(lines[0], /^\d\d:\d\d:\d\d found alpha\n$/);
  });

  it('says when it is a warning', () => {
    log.warn('lost alpha');
    assert.match(lines[1], / warning: lost alpha\n$/);
  });

  it('cannot be made to steer the terminal', () => {
    log.info('found \u001b[2J\r\nroot');
    assert.match(lines[2], / found \?\[2J\?\?root\n$/);
  });
});

describe('a log line for machines', () => {
  it('is JSON whose text is whole, without anything that a terminal could obey', () => {
    const words = 'found \u001b[2J\u009b1m\u202e\r\nroot';
    const script = `import { createLog } from ${JSON.stringify(new URL('./log.js', import.meta.url).href)};
      createLog('info', 'json').info(${JSON.stringify(words)});`;
    const { stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' });
    assert.match(stderr, /^[^\p{C}]+\n$/u);
    assert.equal((JSON.parse(stderr) as { msg: string }).msg, words);
  });
});
