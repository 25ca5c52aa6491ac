/** The numbers of RFC 8966: the assigned ones of §4 and §5, and the parameters of Appendix B. */
import { addressFromBytes } from '../inet/index.ts';
import { millis, seconds, type Millis } from '../machine/index.ts';

export const BABEL_PORT = 6696;
/** ff02::1:6 */
export const BABEL_GROUP = addressFromBytes(Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 6));

/** A cost or a metric of this much is no way at all. */
export const INFINITE = 0xffff;
/** Of a link of which all is well (Appendix A.2.1), and the same of a wireless one, where 256 is one transmission. */
export const NOMINAL_COST = 96;
export const NOMINAL_WIRELESS_COST = 256;
/** Of seqno requests of our own. */
export const MAX_HOP_COUNT = 64;

/** How long an IHU is good for, in Hello intervals. */
export const IHU_INTERVALS = 3;
/** How long what a neighbour said holds, in intervals that the neighbour gave. */
export const HOLD_INTERVALS = 3.5;

/** Before a seqno request of our own is sent again; doubled each time. */
export const REQUEST_TIMEOUT = seconds(2);
export const REQUEST_RESENDS = 3;
/** For so long a request with the same wish is not forwarded: shorter than REQUEST_TIMEOUT, so that resent ones pass. */
export const DUPLICATE_TIMEOUT = millis(1500);
/** For so long an answer is expected that is to be passed on at once. */
export const FORWARDED_TIMEOUT = seconds(16);
/** RFC 8966 Appendix B has three minutes; twice the longest interval between updates must fit in. */
export const SOURCE_GC_TIME = seconds(600);

/** What makes a triggered update of a changed metric worth while: one good link more or less. */
export const SIGNIFICANT_METRIC_CHANGE = 96;

/** Time constants of one interface. Advertised intervals are hundredths of seconds, 655 s at most. */
export interface Timing {
  /** Between Hellos while neighbours come and go. It doubles with each Hello, up to `helloInterval`. */
  readonly shortHelloInterval: Millis;
  /** Between Hellos at rest. */
  readonly helloInterval: Millis;
  /** The time constant of smoothing metrics (Appendix A.3): until a way that became worse is left, and no sooner. */
  readonly smoothingTime: Millis;
  /** Between full announcements of all routes. */
  readonly updateInterval: Millis;
  /** What is urgent is sent within this time. */
  readonly urgentTimeout: Millis;
  /** In what time an acknowledgement is asked for. */
  readonly acknowledgmentTimeout: Millis;
}

export const DEFAULT_TIMING: Timing = {
  shortHelloInterval: millis(500),
  helloInterval: seconds(4),
  smoothingTime: seconds(12),
  updateInterval: seconds(16),
  // RFC 8966 has 200 ms; chains of nodes add up.
  urgentTimeout: millis(50),
  acknowledgmentTimeout: millis(500),
};
