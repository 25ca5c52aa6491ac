import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseScenario } from '../scenario/scenario-file.ts';
import type { Expectation } from '../scenario/schema.ts';
import { formatReport, hasPassed, reportOf } from './report.ts';
import { verdictOn, type Measurements } from './verdicts.ts';

const SCENARIO = parseScenario('title = "A line"\n[topology]\nshape = "line"\nnodes = 3\n', 'a.toml');

const PAIRS = [
  { from: 'n1', namespace: '', to: 'n2', address: '' },
  { from: 'n1', namespace: '', to: 'n3', address: '' },
];

function measurements(parts: Partial<Measurements>): Measurements {
  return {
    capture: { places: [], frames: [] },
    captureTime: (at) => BigInt(at),
    eventTime: (name) => (name === undefined ? 0 : 1000),
    nextEventTime: () => 5000,
    answers: new Map(),
    trains: new Map(),
    cpu: new Map(),
    longestOvertaken: () => 12,
    outage: () => ({ longest: 420, lost: 42, sent: 1000, isOver: true }),
    tcp: new Map(),
    ...parts,
  };
}

describe('a report', () => {
  it('has a line for each event and each expectation, and a sum', () => {
    const verdicts = [
      { passed: true, expected: 'all reach all within 3.00 s', seen: '1.20 s' },
      { passed: false, expected: 'no loss of ping', seen: '20 ms, 2 of 100 packets lost' },
    ];
    const report = reportOf(SCENARIO, [{ at: 5000, what: 'cut n1-n2' }], verdicts);
    assert.equal(hasPassed(report), false);
    assert.equal(
      formatReport(report),
      [
        'A line',
        'nodes: 3 wiremesh; links: 2; seed 1',
        '',
        '  5.00 s  cut n1-n2',
        '',
        'PASS  all reach all within 3.00 s: 1.20 s',
        'FAIL  no loss of ping: 20 ms, 2 of 100 packets lost',
        '',
        '1 passed, 1 failed',
      ].join('\n'),
    );
  });
});

describe('a verdict', () => {
  it('on reachability counts from the event, and names who was not reached', () => {
    const expectation: Expectation = { what: 'reachable', from: 'n1', to: 'all', within: 3000, after: 'cut' };
    const verdict = (answeredAt: (number | undefined)[]) =>
      verdictOn(expectation, measurements({ answers: new Map([[expectation, { pairs: PAIRS, answeredAt }]]) }));
    assert.deepEqual(verdict([1500, 2500]), {
      ...{ passed: true, expected: 'n1 reaches all within 3.00 s of "cut"', seen: '1.50 s', measured: 1500 },
    });
    assert.equal(verdict([1500, undefined]).seen, '1 of 2 not: n1 -> n3');
    assert.equal(verdict([1500, undefined]).passed, false);
  });

  it('on an outage passes up to the limit', () => {
    const over = (limit: number) =>
      verdictOn({ what: 'outage', load: 'ping', 'at-most': limit, after: 'cut' }, measurements({})).passed;
    assert.deepEqual([over(419), over(420)], [false, true]);
  });

  it('on the order of answers passes up to the limit', () => {
    const passes = (limit: number) =>
      verdictOn({ what: 'in-order', load: 'ping', 'at-most': limit }, measurements({})).passed;
    assert.deepEqual([passes(12), passes(11)], [true, false]);
  });

  it('on an outage that is not over gives no figure', () => {
    const lasting = measurements({ outage: () => ({ longest: 420, lost: 42, sent: 100, isOver: false }) });
    const { seen, measured } = verdictOn({ what: 'outage', load: 'ping', 'at-most': 0 }, lasting);
    assert.deepEqual([seen, measured], ['420 ms, not over, 42 of 100 packets lost', undefined]);
  });

  it('is a failure where nothing was measured', () => {
    const blind: Expectation[] = [{ what: 'no-loops' }, { what: 'control-traffic', from: 0, to: 1000, 'at-most': 1 }];
    for (const expectation of blind) assert.equal(verdictOn(expectation, measurements({})).passed, false);
    const nothingSent = measurements({ outage: () => ({ longest: 0, lost: 0, sent: 0, isOver: true }) });
    assert.equal(verdictOn({ what: 'outage', load: 'ping', 'at-most': 1 }, nothingSent).passed, false);
  });

  it('on processor time names the worst node', () => {
    const expectation: Expectation = { what: 'cpu', from: 0, to: 1000, 'at-most': 0.01 };
    const cpu = new Map([[expectation, new Map([['n1', 0.002], ['n2', 0.015], ['n3', 0.001]])]]); // prettier-ignore
    const { passed, seen, median } = verdictOn(expectation, measurements({ cpu }));
    assert.deepEqual([passed, seen, median], [false, '1.50 % (n2), median 0.20 %', 0.002]);
  });

  it('on a TCP connection says why that did not survive', () => {
    const outcome = { bytes: 5e6, longestStall: 1200, isAlive: false, ended: 'ECONNRESET' };
    const verdict = verdictOn({ what: 'survives', load: 't' }, measurements({ tcp: new Map([['t', outcome]]) }));
    assert.deepEqual([verdict.passed, verdict.seen], [false, '5.0 MB, longest stall 1.20 s, ended: ECONNRESET']);
  });
});
