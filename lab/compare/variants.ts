/** What is compared, and a scenario as each of them runs it. Pure. */
import { parseDuration } from '../scenario/units.ts';
import type { NodeKind } from '../scenario/schema.ts';

export interface Variant {
  readonly name: string;
  readonly kind: NodeKind;
  /** As the table `[babeld]` of a scenario; empty for its own. */
  readonly babeld: Readonly<Record<string, string>>;
  /** What happens in a scenario happens so many times later, so that what is slow has the time it needs. */
  readonly patience: number;
}

export const VARIANTS: readonly Variant[] = [
  { name: 'wiremesh', kind: 'wiremesh', babeld: {}, patience: 1 },
  {
    name: 'wireguard-go + babeld, tuned',
    kind: 'wireguard-go+babeld',
    // Hellos as often as wiremesh probes a path in use; updates in babeld's own proportion; the shortest memory but none.
    babeld: { hello: '0.2 s', update: '0.8 s', smoothing: '1 s' },
    patience: 1,
  },
  { name: 'wireguard-go + babeld, defaults', kind: 'wireguard-go+babeld', babeld: {}, patience: 3 },
];

/** What has not come true by then counts as not reached. */
const CONVERGENCE_LIMIT = '60 s';

/** A scenario as it is spelled in its file. */
export type Spelled = Readonly<Record<string, unknown>>;

/** The scenario for `variant`. Where nothing happens all the time is for converging; `isTimed` where things happen. */
export function scenarioFor(document: Spelled, { babeld, patience }: Variant, isTimed: boolean): Spelled {
  const later = (value: unknown) => (isTimed ? multiply(value, patience) : value);
  const limit = (value: unknown) => (isTimed ? multiply(value, patience) : CONVERGENCE_LIMIT);
  return {
    ...document,
    ...change(document, { duration: later }),
    babeld,
    event: tables(document['event']).map((event) => change(event, { at: later })),
    load: tables(document['load']).map((load) => change(load, { start: later, end: later })),
    expect: tables(document['expect']).map((expectation) =>
      change(expectation, { at: later, ...(expectation['after'] === undefined && { within: limit }) }),
    ),
  };
}

export function tables(value: unknown): Spelled[] {
  return (value ?? []) as Spelled[];
}

/** `table` with what `changes` makes of the keys that it has. */
function change(table: Spelled, changes: Readonly<Record<string, (value: unknown) => unknown>>): Spelled {
  const changed = Object.entries(table).map(([key, value]) => [key, changes[key]?.(value) ?? value]);
  return Object.fromEntries(changed) as Spelled;
}

function multiply(duration: unknown, factor: number): string {
  return `${(parseDuration(duration as string) ?? 0) * factor} ms`;
}
