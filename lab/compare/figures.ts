/** What a run tells for the comparison. Pure. */
import type { Verdict } from '../run/report.ts';
import type { Spelled } from './variants.ts';

export type Unit = 'ms' | 'bit/s' | 'share' | 'yes';

export interface Figure {
  /** What was measured, in words. */
  readonly what: string;
  readonly unit: Unit;
  /** `undefined` if it did not come true; of `yes`, 1 or 0. */
  readonly value: number | undefined;
}

/**
 * The figures of a run, one or two for each expectation that has some. `verdicts` in the order of `expectations`. Where
 * somebody was not reached no other figure counts: who says nothing sends little, and who never answered lost nothing.
 */
export function figuresOf(expectations: readonly Spelled[], verdicts: readonly Verdict[]): Figure[] {
  const isReached = expectations.every(({ what }, i) => what !== 'reachable' || verdicts[i].measured !== undefined);
  return expectations.flatMap((expectation, i) => {
    const figures = figuresOfOne(expectation, verdicts[i]);
    const counts = isReached || expectation['what'] === 'reachable';
    return counts ? figures : figures.map((figure) => ({ ...figure, value: undefined }));
  });
}

function figuresOfOne(expectation: Spelled, { measured, median, passed }: Verdict): Figure[] {
  const { what, from, to, after, load } = expectation as Record<string, string>;
  switch (what) {
    case 'reachable': {
      const since = after === undefined ? '' : ` after "${after}"`;
      return [
        { what: `${from === 'all' ? 'all reach' : `${from} reaches`} ${to}${since}`, unit: 'ms', value: measured },
      ];
    }
    case 'outage':
      return [{ what: `no answers over "${after ?? 'all'}"`, unit: 'ms', value: measured }];
    case 'survives':
      return [{ what: `the TCP connection "${load}" survives`, unit: 'yes', value: passed ? 1 : 0 }];
    case 'control-traffic':
      return [
        { what: 'sent by a node at rest: median', unit: 'bit/s', value: median },
        { what: 'sent by a node at rest: most', unit: 'bit/s', value: measured },
      ];
    case 'cpu':
      return [{ what: 'processor time of a node at rest: median', unit: 'share', value: median }];
    default:
      return [];
  }
}
