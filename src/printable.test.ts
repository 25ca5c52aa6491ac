import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { nodeLabel, printable, printableHostName, printableJson } from './printable.ts';

const ATTACKS: readonly (readonly [what: string, text: string, shown: string])[] = [
  ['an escape sequence', 'a\u001b[2J', 'a?[2J'],
  ['an escape sequence in one character (C1)', 'a\u009b2Jb\u009dc\u0090', 'a?2Jb?c?'],
  ['a line of a log that nobody wrote', 'a\r\n12:00:00 trusted root', 'a??12:00:00 trusted root'],
  ['a line end of Unicode', 'a\u2028b\u2029c\u0085d', 'a?b?c?d'],
  ['a backspace, a bell, a delete', 'root\b\b\u0007\u007f', 'root????'],
  ['a bidi override', 'a\u202egpj.exe\u202c', 'a?gpj.exe?'],
  ['bidi isolates and marks', '\u2066a\u2069\u200e\u200f\u061c', '?a????'],
  ['characters of no width', 'a\u200bb\u200cc\u200dd\u2060e\ufefff\u00adg', 'a?b?c?d?e?f?g'],
  ['letters that are blank', '\u3164\u115f\uffa0\u2800', '????'],
  ['blanks that are no space', 'a\u00a0b\u3000c', 'a?b?c'],
  ['tags and variation selectors', 'a\u{e0041}\ufe0f\u{e0100}', 'a???'],
  ['half a surrogate pair', 'a\ud800b\udc00', 'a?b?'],
  ['bytes that were no UTF-8', 'a\ufffd', 'a?'],
  ['private and unassigned characters', 'a\ue000\u{10ffff}\u0378', 'a???'],
  ['a flood of combining marks', `a${'\u0301'.repeat(9)}`, 'a\u0301\u0301???????'],
  ['a mark on what stands before the name', '\u20dfa', '?a'],
];
const FIT = ['alpha-1.example', 'höst', 'o\u0308', '日本語', 'हिन्दी', 'ไทยที่', 'אבג', '💻', 'a"b\'c\\d$(e)'];

describe('text of a stranger', () => {
  for (const [what, text, shown] of ATTACKS) {
    it(`is shown without ${what}`, () => {
      assert.equal(printable(text), shown);
    });
  }

  it('is left as it is where people write so', () => {
    for (const text of [...FIT, 'two words']) assert.equal(printable(text), text);
  });

  it('is the same when it is made printable again, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const once = printable(text);
        assert.equal(printable(once), once);
        assert.doesNotMatch(once, /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f]/);
        const name = printableHostName(text);
        assert.equal(printableHostName(name), name);
        assert.ok(name.length > 0 && Array.from(name).length <= 64 && !/\s/u.test(name));
      }),
    );
  });

  it('costs no more time the longer a run of its marks is', () => {
    const before = performance.now();
    printable('\u0301'.repeat(100_000));
    printableHostName('\u{1f4bb}'.repeat(100_000));
    assert.ok(performance.now() - before < 1000);
  });
});

describe('a host name', () => {
  it('has no blanks, 64 characters at most, and is never empty', () => {
    assert.equal(printableHostName('trusted root (node id 12)'), 'trusted?root?(node?id?12)');
    assert.equal(printableHostName('日'.repeat(65)), '日'.repeat(64));
    assert.equal(printableHostName(''), '?');
    for (const name of FIT) assert.equal(printableHostName(name), name);
  });

  it('is told apart from its twin by the node id', () => {
    assert.equal(nodeLabel({ hostName: 'twin', nodeId: '06ff83f1df3c4b64' }), 'twin (06ff83f1)');
  });
});

describe('JSON for a terminal', () => {
  it('is the same document, without anything that a terminal could obey', () => {
    for (const [, text] of ATTACKS) {
      const json = JSON.stringify({ [text]: [text] }, undefined, 2);
      const shown = printableJson(json);
      assert.deepEqual(JSON.parse(shown), JSON.parse(json));
      assert.doesNotMatch(shown, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f]/);
    }
  });
});
