/**
 * The way to one node: which endpoint its WireGuard peer gets, and whether the tunnel answers.
 *
 * While it does not, candidates are tried in rounds with back-off. A round asks all of them with a Hello and takes the
 * first that answers: Hello and handshake share port and path, so where one comes through, the other does. Only when
 * none answers within a second does each get the handshake in turn. (Handshakes alone would do, but WireGuard starts
 * one in five seconds only, so that every dead candidate would cost as much.) While the tunnel answers, its endpoint is
 * WireGuard's business: no hint changes it.
 */
import { endpointsEqual, type Endpoint } from '../inet/index.ts';
import { after, millis, seconds, type Millis } from '../machine/index.ts';
import type { Candidates } from './endpoints.ts';

const PROBE_INTERVAL = seconds(5);
/** A probe that is not answered by then is followed by another: one lost datagram says little about a tunnel. */
const ANSWER_WAIT = seconds(1);
/** Two nodes that probe each other because they are probed must not do so without end. */
const MIN_PROBE_INTERVAL = millis(250);
/** No answer for so long, and the tunnel is lost. */
const LOST_AFTER = seconds(15);
const MAX_PROBES_KEPT = LOST_AFTER / ANSWER_WAIT;
const HELLO_WAIT = seconds(1);
/** More than WireGuard's REKEY_TIMEOUT and its jitter: every candidate gets a handshake of its own. */
const CANDIDATE_TIME = seconds(6);
const MAX_CANDIDATES_A_ROUND = 16;
const FIRST_BACK_OFF = seconds(5);
const MAX_BACK_OFF = seconds(60);
/** A node that answers Hellos and no handshake (it does not trust us, say) is not tried more often than this. */
const RETRY_HEARD_AFTER = seconds(15);
/** Who has said goodbye is given time to go. */
const REST_AFTER_LEAVE = seconds(10);

/** `found`: nothing tried yet; `trying`: never answered so far; `lost`: it did answer, and candidates are tried again. */
export type TunnelState = 'found' | 'trying' | 'up' | 'lost';

export type TunnelOutput =
  | { readonly kind: 'hello'; readonly to: Endpoint }
  | { readonly kind: 'endpoint'; readonly endpoint: Endpoint }
  | { readonly kind: 'probe'; readonly nonce: bigint }
  | { readonly kind: 'up' | 'lost' };

type Phase =
  /** Until the next round, or until something is heard. */
  | { readonly name: 'resting' }
  /** Hellos are out, no answer yet; `turns` are the endpoints that get a handshake if none comes. */
  | { readonly name: 'asking'; readonly turns: readonly Endpoint[] }
  /** A handshake is asked of one endpoint `until` the next one has its turn. */
  | {
      readonly name: 'trying';
      readonly turns: readonly Endpoint[];
      readonly answered: boolean;
      readonly until: Millis;
    }
  | { readonly name: 'up' };

export class Tunnel {
  readonly candidates: Candidates;
  readonly #nonce: () => bigint;
  readonly #output: TunnelOutput[] = [];
  #phase: Phase = { name: 'resting' };
  #dueAt: Millis | undefined;
  #backOff = FIRST_BACK_OFF;
  #hasTried = false;
  #hasBeenUp = false;
  #lastTried: { readonly endpoint: Endpoint; readonly at: Millis } | undefined;
  #probedAt = millis(-Infinity);
  /** Probes that may still be answered, the oldest first. */
  readonly #sentAtByNonce = new Map<bigint, Millis>();
  /** When the first probe was sent that nothing has been heard of since, while the tunnel is up. */
  #unansweredSince: Millis | undefined;
  #smoothedRtt: Millis | undefined;

  constructor(candidates: Candidates, nonce: () => bigint) {
    this.candidates = candidates;
    this.#nonce = nonce;
  }

  get state(): TunnelState {
    if (this.#phase.name === 'up') return 'up';
    if (this.#hasBeenUp) return 'lost';
    return this.#hasTried ? 'trying' : 'found';
  }

  /** Whether the node has shown, with its present key, that it holds the key. */
  get hasBeenUp(): boolean {
    return this.#hasBeenUp;
  }

  get smoothedRtt(): Millis | undefined {
    return this.#smoothedRtt;
  }

  /** There is something new to try: begin a round, unless the tunnel answers. */
  start(now: Millis): void {
    if (this.#phase.name === 'up') return;
    this.#backOff = FIRST_BACK_OFF;
    this.#rest(now);
  }

  /** The node has another WireGuard key: all that is known of the tunnel was about the old one. */
  restart(now: Millis): void {
    this.#hasBeenUp = false;
    this.#lastTried = undefined;
    this.#forgetProbes();
    this.#phase = { name: 'resting' };
    this.start(now);
  }

  /** A datagram outside the tunnel has shown that the node is behind `endpoint`. */
  handleHeard(endpoint: Endpoint, now: Millis): void {
    this.candidates.hear(endpoint, now);
    if (this.#phase.name === 'up' || (this.#phase.name === 'trying' && this.#phase.answered)) return;
    const last = this.#lastTried;
    const again = last !== undefined && endpointsEqual(last.endpoint, endpoint);
    if (this.#phase.name === 'resting' && again && after(last.at, RETRY_HEARD_AFTER) > now) return;
    this.#try(endpoint, { turns: [], answered: true }, now);
  }

  /** The node has completed a handshake or sent something through the tunnel: see whether it answers. */
  handleSession(now: Millis): void {
    if (this.#phase.name === 'up') return;
    this.#phase = { name: 'trying', turns: [], answered: true, until: after(now, CANDIDATE_TIME) };
    this.#hasTried = true;
    this.#dueAt = millis(Math.max(now, this.#probedAt + MIN_PROBE_INTERVAL));
    this.handleTimeout(now);
  }

  /** @returns whether the probe was one of ours */
  handleProbeReply(nonce: bigint, now: Millis): boolean {
    const sentAt = this.#sentAtByNonce.get(nonce);
    if (sentAt === undefined) return false;
    this.#sentAtByNonce.delete(nonce);
    if (this.#phase.name === 'up') {
      this.#unansweredSince = undefined;
      this.#dueAt = after(now, PROBE_INTERVAL);
      const sample = now - sentAt;
      // RFC 6298 §2.
      this.#smoothedRtt = millis(this.#smoothedRtt === undefined ? sample : this.#smoothedRtt * 0.875 + sample * 0.125);
      return true;
    }
    this.#phase = { name: 'up' };
    this.#hasBeenUp = true;
    this.#backOff = FIRST_BACK_OFF;
    // The probe that is answered now had waited for the handshake; the next one measures the round trip.
    this.#dueAt = now;
    this.#output.push({ kind: 'up' });
    return true;
  }

  handleLeave(now: Millis): void {
    this.#forgetProbes();
    this.#rest(after(now, REST_AFTER_LEAVE));
  }

  handleTimeout(now: Millis): void {
    if (this.#dueAt === undefined || this.#dueAt > now) return;
    switch (this.#phase.name) {
      case 'resting':
        return this.#beginRound(now);
      case 'asking':
        return this.#nextTurn(this.#phase.turns, now);
      case 'trying':
        if (this.#phase.until <= now) return this.#nextTurn(this.#phase.turns, now);
        return this.#probeUntil(this.#phase.until, now);
      case 'up':
        return this.#keepProbing(now);
    }
  }

  poll(): TunnelOutput | undefined {
    return this.#output.shift();
  }

  nextTimeout(): Millis | undefined {
    return this.#dueAt;
  }

  #beginRound(now: Millis): void {
    const turns = this.candidates.list().slice(0, MAX_CANDIDATES_A_ROUND);
    this.#dueAt = undefined;
    if (turns.length === 0) return;
    for (const to of turns) this.#output.push({ kind: 'hello', to });
    this.#hasTried = true;
    this.#phase = { name: 'asking', turns };
    this.#dueAt = after(now, HELLO_WAIT);
  }

  #nextTurn([endpoint, ...turns]: readonly Endpoint[], now: Millis): void {
    if (endpoint !== undefined) return this.#try(endpoint, { turns, answered: false }, now);
    const backOff = this.#backOff;
    this.#backOff = millis(Math.min(MAX_BACK_OFF, backOff * 2));
    this.#rest(after(now, backOff));
  }

  #try(endpoint: Endpoint, rest: { turns: readonly Endpoint[]; answered: boolean }, now: Millis): void {
    const until = after(now, CANDIDATE_TIME);
    this.#phase = { name: 'trying', ...rest, until };
    this.#hasTried = true;
    this.#lastTried = { endpoint, at: now };
    this.#output.push({ kind: 'endpoint', endpoint }, { kind: 'hello', to: endpoint });
    this.#probeUntil(until, now);
  }

  /** Again and again: a probe may come to the device before its peer does, or to the node before ours is known there. */
  #probeUntil(until: Millis, now: Millis): void {
    this.#dueAt = millis(Math.min(until, now + ANSWER_WAIT));
    this.#probe(now);
  }

  #keepProbing(now: Millis): void {
    this.#unansweredSince ??= now;
    if (after(this.#unansweredSince, LOST_AFTER) <= now) return this.#lose(now);
    this.#dueAt = after(now, ANSWER_WAIT);
    this.#probe(now);
  }

  #probe(now: Millis): void {
    const nonce = this.#nonce();
    this.#probedAt = now;
    this.#sentAtByNonce.set(nonce, now);
    if (this.#sentAtByNonce.size > MAX_PROBES_KEPT) {
      this.#sentAtByNonce.delete(this.#sentAtByNonce.keys().next().value as bigint);
    }
    this.#output.push({ kind: 'probe', nonce });
  }

  #lose(now: Millis): void {
    this.#forgetProbes();
    this.#rest(now);
    this.#output.push({ kind: 'lost' });
  }

  #rest(until: Millis): void {
    this.#phase = { name: 'resting' };
    this.#dueAt = until;
  }

  #forgetProbes(): void {
    this.#sentAtByNonce.clear();
    this.#unansweredSince = undefined;
    this.#smoothedRtt = undefined;
  }
}
