import assert from 'node:assert/strict';
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
