/** Why something was dropped. Counted, never told to whoever sent it ("silence is a virtue", whitepaper §5.1). */
const DROP_REASONS = [
  // From the network, before anything is known of the sender.
  'malformed',
  'no-private-key',
  'invalid-mac1',
  'invalid-mac2',
  'rate-limited',
  'zero-shared-secret',
  'handshake-not-authentic',
  'unknown-peer',
  'unknown-index',
  // From a peer, or replayed.
  'stale-timestamp',
  'initiation-flood',
  'invalid-cookie-reply',
  'transport-not-authentic',
  'malformed-inner-packet',
  'source-not-allowed',
  // From the host.
  'no-route',
  'no-endpoint',
  'staged-too-many',
  'handshake-abandoned',
] as const;

export type DropReason = (typeof DROP_REASONS)[number];
export type DropCounts = Record<DropReason, number>;

/** The answer of a step that refuses its input. */
export interface Dropped {
  readonly drop: DropReason;
}

export function noDrops(): DropCounts {
  return Object.fromEntries(DROP_REASONS.map((reason) => [reason, 0])) as DropCounts;
}
