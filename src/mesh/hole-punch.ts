/**
 * Hole punching to one node with which a relayed session exists: both sides tell each other over it where they may be
 * reached (a call), and then send Hellos there. Each Hello opens the sender's own NAT for the other's. That a Hello is
 * answered with its challenge proves the path; what becomes of it is not decided here.
 *
 * The first two Hellos have to meet on the way. Where one comes to the other's NAT before that was opened, a Linux router
 * takes it for a connection with itself and gives what goes out afterwards another port than the one that was told
 * (docs/decisions/0038-hole-punching-by-the-clock.md). So each begins such that both would be at the caller's relay at one
 * time: as far as the way from there to one NAT may be longer than to the other, so far are the NATs at least apart.
 * And after a failure both are silent for longer than Linux remembers what came in unasked.
 *
 * It succeeds where both NATs map a socket to one port for all destinations (RFC 4787 §4.1), whatever they filter, and where
 * one side has no NAT. It fails between a NAT that takes a new port for each destination and one that filters by port; then
 * the session stays relayed, and it is tried again, ever more seldom.
 */
import { endpointsEqual, type Endpoint } from '../inet/index.ts';
import { after, millis, seconds, type Millis } from '../machine/index.ts';
import { isWorthDescribing } from './endpoints.ts';
import { HELLO_BYTES, MAX_CALL_CANDIDATES, MAX_MESSAGE_BYTES } from './messages.ts';

/** A call that gets no answer is lost with its relay, or the other side does not know us yet. */
const CALL_INTERVAL = seconds(1);
const MAX_CALLS = 3;
/** Spacing of the rounds of Hellos, each twice the last one: dense while both sides begin, for 3 s in all. */
const FIRST_ROUND_INTERVAL = millis(50);
const MAX_ROUND_INTERVAL = millis(800);
const PUNCH_TIME = seconds(3);
/** From the answer to a call until the first Hello of who answers. More than CALL_INTERVAL: an answer may be lost. */
const ANSWERER_WAIT = seconds(1.25);
/** Between two beginnings: a node of the mesh must not have us shoot at addresses of its choice as fast as it likes. */
const MIN_PUNCH_INTERVAL = seconds(1);
/** Above nf_conntrack_udp_timeout, 30 s. */
const FIRST_BACK_OFF = seconds(35);
/** After calls that nobody has answered. */
const UNANSWERED_BACK_OFF = seconds(10);
const MAX_BACK_OFF = seconds(600);

/**
 * A call is as long as a message can be (`writeMessage` pads it), and what we send to where it points, and to addresses that
 * have not answered at all, is less than that: nobody gains by pointing us at somebody else.
 */
const MAX_HELLOS = Math.floor(MAX_MESSAGE_BYTES / HELLO_BYTES);

export type HolePunchOutput =
  /** To be sent through the tunnel, over whatever path it has. */
  | { readonly kind: 'call'; readonly pleaseAnswer: boolean; readonly candidates: readonly Endpoint[] }
  /** To be sent outside the tunnel. */
  | { readonly kind: 'hello'; readonly to: Endpoint };

type Phase =
  | { readonly name: 'idle' }
  | { readonly name: 'calling'; readonly calls: number }
  | {
      readonly name: 'punching';
      readonly targets: readonly Endpoint[];
      readonly isAnswerer: boolean;
      readonly until: Millis;
      readonly interval: Millis;
      /** How many Hellos may still be sent. */
      readonly hellosLeft: number;
    }
  | { readonly name: 'resting' };

export interface HolePunchOptions {
  /** Where this node may be reached, as it knows now. */
  readonly ownCandidates: (now: Millis) => readonly Endpoint[];
  /** To the first relay on the way to the other side. */
  readonly roundTripToRelay: () => Millis;
  /** Where both have called: whether it is our call that counts. */
  readonly isPreferredCaller: boolean;
}

export class HolePunch {
  readonly #options: HolePunchOptions;
  readonly #output: HolePunchOutput[] = [];
  #phase: Phase = { name: 'idle' };
  #dueAt: Millis | undefined;
  #backOff = FIRST_BACK_OFF;
  #begunAt = millis(-Infinity);

  constructor(options: HolePunchOptions) {
    this.#options = options;
  }

  /** There is traffic, and it goes through a relay. To be said as often as it is noticed. */
  handleWish(now: Millis): void {
    if (this.#phase.name === 'resting' && this.#dueAt !== undefined && this.#dueAt <= now)
      this.#phase = { name: 'idle' };
    if (this.#phase.name === 'idle') this.#call(0, now);
  }

  /** The other side says where it may be reached, and asks whether it is to be told the same. */
  handleCall(call: { pleaseAnswer: boolean; candidates: readonly Endpoint[] }, now: Millis): void {
    const { pleaseAnswer } = call;
    // It will answer our call, or has not got it, and gets the next one.
    if (pleaseAnswer && this.#phase.name === 'calling' && this.#options.isPreferredCaller) return;
    const targets = call.candidates.filter(isWorthDescribing).slice(0, MAX_CALL_CANDIDATES);
    if (pleaseAnswer) this.#output.push({ kind: 'call', pleaseAnswer: false, candidates: this.#candidates(now) });
    if (targets.length === 0) return this.#rest(now);
    const phase = this.#phase;
    const isWaiting = phase.name === 'punching' && this.#begunAt > now;
    // A call that is repeated, and the answer to it, set both clocks anew.
    const isRunning = phase.name === 'punching' && sameEndpoints(phase.targets, targets);
    if (isRunning && !(isWaiting && phase.isAnswerer === pleaseAnswer)) return;
    if (!isWaiting && after(this.#begunAt, MIN_PUNCH_INTERVAL) > now) return;
    this.#begunAt = after(now, this.#waitFor(pleaseAnswer));
    const rest = { until: after(this.#begunAt, PUNCH_TIME), interval: FIRST_ROUND_INTERVAL, hellosLeft: MAX_HELLOS };
    this.#phase = { name: 'punching', targets, isAnswerer: pleaseAnswer, ...rest };
    this.#dueAt = this.#begunAt;
    this.handleTimeout(now);
  }

  /** Whether the other side has just told us that it may be reached there. */
  isTarget(endpoint: Endpoint): boolean {
    return this.#phase.name === 'punching' && this.#phase.targets.some((target) => endpointsEqual(target, endpoint));
  }

  /** There is a direct path, or nobody wants one any more. */
  stop(): void {
    this.#phase = { name: 'idle' };
    this.#dueAt = undefined;
    this.#backOff = FIRST_BACK_OFF;
  }

  handleTimeout(now: Millis): void {
    if (this.#dueAt === undefined || this.#dueAt > now) return;
    const phase = this.#phase;
    if (phase.name === 'calling') {
      if (phase.calls < MAX_CALLS) return this.#call(phase.calls, now);
      this.#phase = { name: 'resting' };
      this.#dueAt = after(now, UNANSWERED_BACK_OFF);
    } else if (phase.name === 'punching') {
      if (phase.until <= now) return this.#rest(now);
      const targets = phase.targets.slice(0, phase.hellosLeft);
      for (const to of targets) this.#output.push({ kind: 'hello', to });
      this.#dueAt = millis(Math.min(now + phase.interval, phase.until));
      const interval = millis(Math.min(2 * phase.interval, MAX_ROUND_INTERVAL));
      this.#phase = { ...phase, interval, hellosLeft: phase.hellosLeft - targets.length };
    }
  }

  poll(): HolePunchOutput | undefined {
    return this.#output.shift();
  }

  /** Resting ends by a wish, not by itself: a session without traffic wants no path. */
  nextTimeout(): Millis | undefined {
    return this.#phase.name === 'calling' || this.#phase.name === 'punching' ? this.#dueAt : undefined;
  }

  /**
   * Until our first Hello. The answerer's is at the caller's relay its wait and one way later than its answer, the
   * caller's half a round trip after it was sent; the answer itself takes half a round trip from there.
   */
  #waitFor(isAnswerer: boolean): Millis {
    return isAnswerer ? ANSWERER_WAIT : millis(Math.max(0, ANSWERER_WAIT - this.#options.roundTripToRelay()));
  }

  #call(calls: number, now: Millis): void {
    this.#output.push({ kind: 'call', pleaseAnswer: true, candidates: this.#candidates(now) });
    this.#phase = { name: 'calling', calls: calls + 1 };
    this.#dueAt = after(now, CALL_INTERVAL);
  }

  #rest(now: Millis): void {
    this.#phase = { name: 'resting' };
    this.#dueAt = after(now, this.#backOff);
    this.#backOff = millis(Math.min(2 * this.#backOff, MAX_BACK_OFF));
  }

  #candidates(now: Millis): readonly Endpoint[] {
    return this.#options.ownCandidates(now).slice(0, MAX_CALL_CANDIDATES);
  }
}

function sameEndpoints(a: readonly Endpoint[], b: readonly Endpoint[]): boolean {
  return a.length === b.length && a.every((endpoint, i) => endpointsEqual(endpoint, b[i]));
}
