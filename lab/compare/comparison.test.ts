import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parse } from 'smol-toml';
import { findScenario, parseScenario } from '../scenario/scenario-file.ts';
import { figuresOf } from './figures.ts';
import { formatTable, replaceComparison, type Row } from './table.ts';
import { plan, SCENARIOS } from './trials.ts';
import { scenarioFor, tables, VARIANTS, type Spelled } from './variants.ts';

const [WIREMESH, TUNED, DEFAULTS] = VARIANTS;

function shipped(name: string): Spelled {
  return parse(readFileSync(findScenario(name), 'utf8')) as Spelled;
}

describe('a scenario for a variant', () => {
  it('is one that the lab takes, for all that come in the comparison', () => {
    for (const name of SCENARIOS) {
      for (const variant of VARIANTS) {
        for (const isTimed of [true, false]) {
          const text = JSON.stringify(scenarioFor(shipped(name), variant, isTimed));
          assert.ok(parseScenario(text, `${name}.json`).nodes.length > 0);
        }
      }
    }
  });

  it('has the intervals of the variant, not those of its file', () => {
    const babeld = VARIANTS.map((variant) => scenarioFor(shipped('line-3'), variant, false)['babeld']);
    assert.deepEqual(babeld, [{}, TUNED.babeld, {}]);
  });

  it('leaves who is slow more time between events, in proportion', () => {
    const times = VARIANTS.map((variant) => {
      const { event, load, expect } = scenarioFor(shipped('ring-cut'), variant, true);
      return [tables(load)[0]['start'], tables(event)[1]['at'], tables(expect)[0]['within']];
    });
    assert.deepEqual(times, [
      ['8000 ms', '16000 ms', '8000 ms'],
      ['8000 ms', '16000 ms', '8000 ms'],
      ['24000 ms', '48000 ms', '24000 ms'],
    ]);
  });

  it('leaves all the same time to converge where nothing else happens', () => {
    const within = [WIREMESH, DEFAULTS].map((variant) => {
      return tables(scenarioFor(shipped('line-3'), variant, false)['expect'])[0]['within'];
    });
    assert.deepEqual(within, ['60 s', '60 s']);
  });
});

describe('the figures of a run', () => {
  const expectations = [
    { what: 'reachable', from: 'all', to: 'all' },
    { what: 'path' },
    { what: 'outage', load: 'ping', after: 'cut' },
    { what: 'control-traffic' },
  ];
  const verdict = (measured?: number, median?: number) => ({
    ...{ passed: false, expected: '', seen: '' },
    ...(measured !== undefined && { measured }),
    ...(median !== undefined && { median }),
  });

  it('are what was measured, whether it was as expected or not', () => {
    const figures = figuresOf(expectations, [verdict(900), verdict(), verdict(400), verdict(3000, 2000)]);
    assert.deepEqual(
      figures.map(({ what, value }) => [what, value]),
      [
        ['all reach all', 900],
        ['no answers over "cut"', 400],
        ['sent by a node at rest: median', 2000],
        ['sent by a node at rest: most', 3000],
      ],
    );
  });

  it('are none where not all were reached: silence costs nothing and loses nothing', () => {
    const figures = figuresOf(expectations, [verdict(), verdict(), verdict(0), verdict(100, 50)]);
    assert.deepEqual(
      figures.map(({ value }) => value),
      [undefined, undefined, undefined, undefined],
    );
  });
});

describe('the table', () => {
  it('says medians, spreads, and what was not reached', () => {
    const rows: Row[] = [
      { scenario: 'ring', what: 'answers', unit: 'ms', values: { a: [300, 100, 200], b: [null, null, null] } },
      { scenario: 'ring', what: 'loss', unit: 'ms', values: { a: [0, 0, 0], b: [null, 20, 40] } },
      { scenario: 'rest', what: 'survives', unit: 'yes', values: { a: [1, 1, 0], b: [null, null, null] } },
      { scenario: 'rest', what: 'sent', unit: 'bit/s', values: { a: [1500], b: [15] } },
    ];
    assert.deepEqual(formatTable(['a', 'b'], rows).split('\n'), [
      '| scenario | measured | a | b |',
      '| --- | --- | ---: | ---: |',
      '| `ring` | answers | 200 ms (100 ms to 300 ms) | not reached |',
      '|  | loss | none | 30 ms (20 ms to 40 ms); 1 of 3 not reached |',
      '| `rest` | survives | 2 of 3 | 0 of 3 |',
      '|  | sent | 1.50 kbit/s | 15 bit/s |',
    ]);
  });

  it('takes the place of the one before, and of nothing else', () => {
    const page = (table: string) =>
      `Above\n<!-- comparison: \`npm run compare\` writes this -->\n${table}\n<!-- end of comparison -->\nBelow\n`;
    assert.equal(replaceComparison(page('old'), 'new'), page('new'));
    assert.throws(() => replaceComparison('no marks', 'new'), { message: /^the page lacks the marks / });
  });

  it('has a place in docs/paths.md', () => {
    const page = readFileSync(new URL('../../../docs/paths.md', import.meta.url), 'utf8');
    assert.doesNotThrow(() => replaceComparison(page, ''));
  });
});

describe('the plan', () => {
  const trials = plan(SCENARIOS, VARIANTS, 3).flat(2);

  it('runs every scenario with every variant, several times but those at rest', () => {
    const count = (name: string) => trials.flatMap((lane) => lane.trials).filter(({ scenario }) => scenario === name).length; // prettier-ignore
    assert.deepEqual(
      SCENARIOS.map(count),
      SCENARIOS.map((name) => (name === 'rest-30' ? 3 : 9)),
    );
  });

  it('runs what was named alone', () => {
    const [first, ...others] = plan(['line-3'], [WIREMESH, TUNED], 1).flat(2);
    assert.deepEqual(first.trials, [{ scenario: 'line-3', variant: WIREMESH }, { scenario: 'line-3', variant: TUNED }]); // prettier-ignore
    assert.ok(others.every((lane) => lane.trials.length === 0));
  });
});
