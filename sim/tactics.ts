/** What an attacker does beside telling lies of one kind. */
export const TACTICS = [
  /** Says to be another node, answers challenges as that node, and passes on what comes for it, or some of it. */
  'impersonate',
  /** Answers requests for descriptions, of identities that it made up. */
  'claim',
  /** Many made-up identities at once, each from an address of its own. */
  'sybils',
  /** Sends again what it has seen, to anybody and from anywhere. */
  'replay',
  /** The same with some bytes changed. */
  'rewrite',
  /** As a member: relays nothing. */
  'blackhole',
] as const;
export type Tactic = (typeof TACTICS)[number];
