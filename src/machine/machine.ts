import type { Millis } from './time.ts';

/**
 * The shape of every protocol in the pure floors. One call of `handle*`, then `poll` until `undefined`, then
 * `nextTimeout`. Outputs are drained, not called back: a callback could re-enter a machine in the middle of a change.
 */
export interface Machine<Input, Output> {
  handle(input: Input, now: Millis): void;
  handleTimeout(now: Millis): void;
  poll(): Output | undefined;
  /** When `handleTimeout` is wanted next. Ask again after every call. */
  nextTimeout(): Millis | undefined;
}
