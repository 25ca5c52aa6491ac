import type { Millis } from '../src/machine/index.ts';

/** What must not happen, whatever an attacker does. */
export const INVARIANTS = [
  /** Honest nodes reach each other where, without the attacker, they do. */
  'reachable',
  /** No tunnel between honest nodes is up by way of an address of the attacker. */
  'unmoved',
  /** Nobody's address, WireGuard key or network is somebody else's. */
  'owned',
  /** Nobody else goes by the name of an honest node. */
  'named',
  /** An honest node that was once reached is remembered. */
  'remembered',
  /** An outsider makes no node believe that its own identity, or an honest one's, is in use twice. */
  'undisputed',
  /** Nodes send no more to somebody who has nothing to do with it than the attacker sent. */
  'no amplifier',
  /** What nodes send and keep grows with what the attacker sends, and no faster. */
  'bounded',
  /** Nothing throws, and all comes to rest. */
  'no exception',
] as const;
export type Invariant = (typeof INVARIANTS)[number];

export interface Violation {
  readonly invariant: Invariant;
  readonly at: Millis;
  readonly text: string;
}
