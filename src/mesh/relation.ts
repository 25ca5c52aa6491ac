/** Whether two nodes want to be neighbours. Either of them may wish it. */
import { millis, type Millis } from '../machine/index.ts';
import type { Wish } from './messages.ts';

export interface Relation {
  ours: Wish;
  theirs: Wish;
  /** They have refused, and are not asked again until then. */
  refusedUntil: Millis;
}

export const NO_RELATION: Readonly<Relation> = { ours: 'no', theirs: 'no', refusedUntil: millis(-Infinity) };

export function isWished({ ours, theirs }: Relation): boolean {
  return ours !== 'no' || theirs !== 'no';
}
