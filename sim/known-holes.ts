/**
 * Attacks that are known to succeed as long as the entry stands: which invariant they violate, and which kinds of attacks do
 * so. An entry goes with its hole. `npm run chaos` shows all violations, and the tests those that no entry explains.
 */
import type { AttackKind, Schedule } from './schedule.ts';
import type { Invariant, Violation } from './violations.ts';

interface Hole {
  readonly invariants: readonly Invariant[];
  readonly kinds: readonly AttackKind[];
}

export const KNOWN_HOLES: readonly Hole[] = [
  // Host names are not unique, and nobody may be believed by his (docs/security.md): `status` and the log add the node id.
  { invariants: ['named'], kinds: ['claim', 'sybils'] },
  // Both ends leave a relay over which nothing comes back, and the answers to the one may come over the relay that the other
  // has just left for: they miss each other on the honest one, the longer the oftener it happens (docs/security.md).
  { invariants: ['reachable'], kinds: ['blackhole'] },
];

export function isKnown({ invariant }: Violation, { kinds }: Pick<Schedule, 'kinds'>): boolean {
  return KNOWN_HOLES.some((hole) => hole.invariants.includes(invariant) && hole.kinds.some((kind) => kinds.has(kind)));
}
