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
  // A description may name the WireGuard key of somebody else, who is forgotten for it; and anybody's host name.
  { invariants: ['reachable', 'owned', 'named', 'remembered'], kinds: ['claim', 'sybils'] },
  // A Hello proves where its sender is, not who it is.
  { invariants: ['reachable', 'unmoved'], kinds: ['impersonate'] },
  // A relay is believed whatever it announces, and whether or not it forwards.
  { invariants: ['reachable'], kinds: ['babel', 'blackhole'] },
  // A Hello of 76 bytes is asked for a description with 1,200 four times, and a call has eight endpoints greeted.
  { invariants: ['no amplifier'], kinds: ['hello', 'rewrite', 'replay', 'call', 'claim', 'sybils'] },
  // Each node that a summary makes up is asked for with 1,200 bytes four times.
  { invariants: ['bounded'], kinds: ['summary', 'announce', 'claim', 'sybils'] },
  // A sequence number of a node's own that it does not know needs no proof.
  { invariants: ['undisputed'], kinds: ['hello', 'replay', 'rewrite', 'impersonate'] },
];

export function isKnown({ invariant }: Violation, { kinds }: Pick<Schedule, 'kinds'>): boolean {
  return KNOWN_HOLES.some((hole) => hole.invariants.includes(invariant) && hole.kinds.some((kind) => kinds.has(kind)));
}
