/**
 * The direct path to one node: which endpoint of the underlay its WireGuard peer gets, and whether it answers there.
 * Somebody must be interested in one: the node is a neighbour, it has traffic, or it probes us. Else nothing is sent.
 *
 * While there is no direct path, candidates are tried in rounds with back-off. A round asks all of them with a Hello and
 * takes the first that answers: Hello and handshake share port and path, so where one comes through, the other does. When
 * none answers within a second, those get the handshake in turn that have answered before: Hellos may have been lost in a
 * flood. An address that never answered gets none, since it may be somebody's who has nothing to do with the mesh. Where
 * relays reach the node, its endpoint is not moved before a Hello was answered, and goes back to the relays as soon as the
 * direct path does not answer. While it answers, its endpoint is WireGuard's business: no hint changes it.
 */
import type { Endpoint } from '../inet/index.ts';
import { after, millis, seconds, type Millis } from '../machine/index.ts';
import type { Candidates } from './endpoints.ts';
import type { Probe } from './messages.ts';
import { PathDamping } from './path-damping.ts';
import { Probing } from './probing.ts';
import { RestingInterval } from './resting-interval.ts';
import { FailedEndpoints } from './unproved/index.ts';

const PROBE_WAIT = seconds(1);
/** Where a session exists already, as it does on a path over relays. */
const QUICK_PROBE_WAIT = millis(250);
/** Two nodes that probe each other because they are probed must not do so without end. */
const MIN_PROBE_INTERVAL = millis(250);
const MAX_PROBES_KEPT = 32;
const HELLO_WAIT = seconds(1);
/** More than WireGuard's REKEY_TIMEOUT and its jitter: every candidate gets a handshake of its own. */
const CANDIDATE_TIME = seconds(6);
/** The same where relays reach the node meanwhile. */
const QUICK_CANDIDATE_TIME = seconds(1);
/** On top of either, where the answer to a Hello took long. */
const MAX_EXTRA_CANDIDATE_TIME = seconds(6);
const MAX_CANDIDATES_A_ROUND = 16;
const FIRST_BACK_OFF = seconds(5);
const MAX_BACK_OFF = seconds(60);
/** Of nodes that have not been heard of directly. */
const MAX_UNHEARD_BACK_OFF = seconds(600);
/** Who has said goodbye is given time to go. */
const REST_AFTER_LEAVE = seconds(10);
/** How long traffic keeps up the interest in a direct path, and how long a probe of somebody who has one does. */
const INTEREST_OF_TRAFFIC = seconds(120);
const INTEREST_OF_PROBE = seconds(90);
/** Traffic after a pause of this length is a reason to look for a direct path at once. */
const PAUSE = seconds(5);

/**
 * `found`: nothing tried yet; `trying`: never answered so far; `up`: it answers; `lost`: it did answer, and candidates are
 * tried again; `distant`: nobody is interested in a direct path.
 */
export type TunnelState = 'found' | 'trying' | 'up' | 'lost' | 'distant';

export type TunnelOutput =
  | { readonly kind: 'hello'; readonly to: Endpoint }
  | { readonly kind: 'endpoint'; readonly endpoint: Endpoint }
  /** Send by the relays. */
  | { readonly kind: 'relay' }
  | { readonly kind: 'probe'; readonly nonce: bigint; readonly isConfirmed: boolean }
  /** `failed`: a round has ended without an answer. `idle`: nobody is interested in the path any more. */
  | { readonly kind: 'up' | 'lost' | 'failed' | 'idle' }
  /** The path has changed its state too often. */
  | { readonly kind: 'unstable' };

type Phase =
  /** Until the next round, or until something is heard. */
  | { readonly name: 'resting' }
  /** Hellos are out, no answer yet; `turns` are the endpoints that get a handshake if none comes. */
  | { readonly name: 'asking'; readonly turns: readonly Endpoint[] }
  /** A handshake is asked of one endpoint `until` the next one has its turn. */
  | {
      readonly name: 'trying';
      /** `undefined`: where it has come from itself. */
      readonly endpoint: Endpoint | undefined;
      readonly turns: readonly Endpoint[];
      readonly answered: boolean;
      readonly until: Millis;
    }
  | { readonly name: 'up'; readonly probing: Probing };

export class Tunnel {
  readonly candidates: Candidates;
  readonly #nonce: () => bigint;
  readonly #output: TunnelOutput[] = [];
  readonly #resting = new RestingInterval();
  readonly #damping = new PathDamping();
  #isUnstable = false;
  #phase: Phase = { name: 'resting' };
  #dueAt: Millis | undefined;
  #backOff = FIRST_BACK_OFF;
  #retryAt = millis(-Infinity);
  #rounds = 0;
  #hasTried = false;
  #hasBeenUp = false;
  #isWanted = false;
  #hasRelay = false;
  #activeAt = millis(-Infinity);
  #interestedUntil = millis(-Infinity);
  readonly #failed = new FailedEndpoints();
  #probedAt = millis(-Infinity);
  /** When each was sent that may still be answered, the oldest first, while the tunnel is not up. */
  readonly #probes = new Map<bigint, Millis>();
  /** When the last round of Hellos went out. */
  #askedAt = millis(-Infinity);
  /** On a slow path a probe, and the handshake before it, take as long as the last Hello that was answered. */
  #extraTime = millis(0);

  constructor(candidates: Candidates, nonce: () => bigint) {
    this.candidates = candidates;
    this.#nonce = nonce;
  }

  get state(): TunnelState {
    if (this.#phase.name === 'up') return 'up';
    if (!this.#isWanted && this.#dueAt === undefined) return this.#hasRelay ? 'distant' : 'found';
    if (this.#hasBeenUp) return 'lost';
    return this.#hasTried ? 'trying' : 'found';
  }

  get isUp(): boolean {
    return this.#phase.name === 'up';
  }

  get hasOutput(): boolean {
    return this.#output.length > 0;
  }

  /** Whether the node has shown, with its present key, that it holds the key. */
  get hasBeenUp(): boolean {
    return this.#hasBeenUp;
  }

  get smoothedRtt(): Millis | undefined {
    return this.#phase.name === 'up' ? this.#phase.probing.smoothedRtt : undefined;
  }

  /** Whether the path has changed its state too often lately. */
  get isUnstable(): boolean {
    return this.#isUnstable;
  }

  /** Whether the path is left alone because of that: only where relays reach the node meanwhile. */
  isHeld(now: Millis): boolean {
    return this.#hasRelay && this.#damping.stableAt > now;
  }

  /** Whether the path is up or may be tried: it has not failed lately. */
  mayTry(now: Millis): boolean {
    return this.#phase.name !== 'resting' || (this.#retryAt <= now && !this.isHeld(now));
  }

  /** Whether we have a reason of our own to keep the path. */
  hasReason(now: Millis): boolean {
    return this.#isWanted || after(this.#activeAt, INTEREST_OF_TRAFFIC) > now;
  }

  /** The node is to be a neighbour, or is not. */
  want(isWanted: boolean, now: Millis): void {
    if (isWanted === this.#isWanted) return;
    this.#isWanted = isWanted;
    if (this.#phase.name === 'up') this.#leaveIfIdle(now);
    else if (isWanted && this.#phase.name === 'resting') this.#rest(millis(Math.max(now, this.#retryAt)));
  }

  /** There is traffic for the node. */
  handleActive(now: Millis): void {
    const isNew = after(this.#activeAt, PAUSE) <= now;
    this.#activeAt = now;
    if (this.#phase.name === 'up') this.#phase.probing.handleActive(now);
    else if (isNew && this.#phase.name === 'resting') this.start(now);
  }

  /** The kernel has refused to send to the endpoint. */
  handleError(now: Millis): void {
    if (this.#phase.name === 'up') this.#phase.probing.handleError(now);
    else if (this.#phase.name === 'trying' && this.#hasRelay) this.#nextTurn([], now);
  }

  /** Whether relays reach the node. */
  setRelay(hasRelay: boolean, now: Millis): void {
    if (hasRelay === this.#hasRelay) return;
    this.#hasRelay = hasRelay;
    const phase = this.#phase;
    if (phase.name === 'up') return;
    if (!hasRelay) {
      if (phase.name === 'resting' && this.#isInterested(now)) this.start(now);
    } else if (phase.name !== 'trying') this.#output.push({ kind: 'relay' });
    else if (!phase.answered) this.#nextTurn([], now);
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
    this.#failed.clear();
    this.#probes.clear();
    this.#resting.reset();
    this.#phase = { name: 'resting' };
    this.start(now);
  }

  /** An answer to one of our Hellos has shown that the node is behind `endpoint` and hears us there. */
  handleHeard(endpoint: Endpoint, now: Millis): void {
    this.candidates.hear(endpoint, now);
    this.#extraTime = millis(Math.min(MAX_EXTRA_CANDIDATE_TIME, 3 * (now - this.#askedAt)));
    const phase = this.#phase;
    if (phase.name === 'up' || (phase.name === 'trying' && phase.answered)) return;
    if (this.#failed.isLeftAlone(endpoint, now)) return;
    this.#retryAt = now;
    if (this.#isInterested(now) && !this.isHeld(now)) this.#try(endpoint, { turns: [], answered: true }, now);
  }

  /** The node sends through the tunnel, or has completed a handshake, directly: see whether it answers. */
  handleSession(now: Millis): void {
    if (this.#phase.name === 'up' || !this.#isInterested(now) || this.isHeld(now)) return;
    const until = after(now, this.#candidateTime());
    this.#phase = { name: 'trying', endpoint: undefined, turns: [], answered: true, until };
    this.#hasTried = true;
    this.#dueAt = millis(Math.max(now, this.#probedAt + MIN_PROBE_INTERVAL));
    this.handleTimeout(now);
  }

  /** The node probes the direct path. `cameDirectly`: and the probe did not come over a relay. */
  handleProbe({ nonce, isInterested, isConfirmed }: Probe, cameDirectly: boolean, now: Millis): void {
    if (isInterested) this.#interestedUntil = after(now, INTEREST_OF_PROBE);
    if (!cameDirectly) return;
    if (isConfirmed && this.#phase.name === 'up') this.#phase.probing.handleConfirmed(nonce, now);
    this.handleSession(now);
  }

  /** A reply that came on the direct path. @returns whether the probe was one of ours */
  handleProbeReply(nonce: bigint, now: Millis): boolean {
    if (this.#phase.name === 'up') {
      const isOurs = this.#phase.probing.handleReply(nonce, now);
      this.#leaveIfIdle(now);
      return isOurs;
    }
    const sentAt = this.#probes.get(nonce);
    if (sentAt === undefined) return false;
    this.#probes.clear();
    if (this.#phase.name === 'trying' && this.#phase.endpoint !== undefined) this.#failed.forgive(this.#phase.endpoint);
    // The probe that is answered now may have waited for the handshake, so it is a bound; the next one is a sample.
    const parts = { resting: this.#resting, activeAt: this.#activeAt, bound: millis(now - sentAt) };
    this.#phase = { name: 'up', probing: new Probing(this.#nonce, parts, now) };
    this.#hasBeenUp = true;
    this.#backOff = FIRST_BACK_OFF;
    this.#dueAt = undefined;
    this.#output.push({ kind: 'up' });
    this.#handleChange(now);
    return true;
  }

  /** The endpoint that WireGuard has is not a direct one. */
  handleMisdirected(now: Millis): void {
    if (this.#phase.name === 'up') this.#lose(now);
  }

  handleLeave(now: Millis): void {
    this.#probes.clear();
    this.#interestedUntil = now;
    this.#rest(after(now, REST_AFTER_LEAVE));
  }

  handleTimeout(now: Millis): void {
    this.#isUnstable = this.#damping.isUnstable(now);
    if (this.#phase.name === 'up') {
      this.#phase.probing.handleTimeout(now);
      return this.#drainProbing(this.#phase.probing, now);
    }
    if (this.#dueAt === undefined || this.#dueAt > now) return;
    switch (this.#phase.name) {
      case 'resting':
        return this.#beginRound(now);
      case 'asking':
        return this.#nextTurn(this.#phase.turns, now);
      case 'trying':
        if (this.#phase.until <= now) return this.#endTurn(this.#phase, now);
        return this.#probeUntil(this.#phase.until, now);
    }
  }

  poll(): TunnelOutput | undefined {
    return this.#output.shift();
  }

  nextTimeout(): Millis | undefined {
    return this.#phase.name === 'up' ? this.#phase.probing.nextTimeout() : this.#dueAt;
  }

  #isInterested(now: Millis): boolean {
    return this.hasReason(now) || this.#interestedUntil > now;
  }

  #candidateTime(): Millis {
    return millis((this.#hasRelay ? QUICK_CANDIDATE_TIME : CANDIDATE_TIME) + this.#extraTime);
  }

  #handleChange(now: Millis): void {
    if (this.#damping.handleChange(now)) this.#output.push({ kind: 'unstable' });
    this.#isUnstable = this.#damping.isUnstable(now);
  }

  #drainProbing(probing: Probing, now: Millis): void {
    for (let output = probing.poll(); output !== undefined; output = probing.poll()) {
      if (output.kind === 'probe') this.#output.push(output);
      else this.#lose(now);
    }
  }

  #lose(now: Millis): void {
    this.#output.push({ kind: 'lost' });
    this.#handleChange(now);
    this.#rest(this.isHeld(now) ? this.#damping.stableAt : now);
    if (this.#hasRelay) this.#output.push({ kind: 'relay' });
  }

  #leaveIfIdle(now: Millis): void {
    if (this.#isInterested(now)) return;
    this.#phase = { name: 'resting' };
    this.#dueAt = undefined;
    this.#output.push({ kind: 'idle' });
    if (this.#hasRelay) this.#output.push({ kind: 'relay' });
  }

  #beginRound(now: Millis): void {
    this.#dueAt = undefined;
    if (!this.#isInterested(now)) return;
    const isGood = (endpoint: Endpoint) => !this.#failed.isLeftAlone(endpoint, now);
    const asked = this.candidates.inTurn(this.#rounds++, now).filter(isGood).slice(0, MAX_CANDIDATES_A_ROUND);
    if (asked.length === 0) return this.candidates.isEmpty ? undefined : this.#nextTurn([], now);
    for (const to of asked) this.#output.push({ kind: 'hello', to });
    this.#askedAt = now;
    this.#hasTried = true;
    this.#phase = { name: 'asking', turns: this.candidates.heardLately(now).filter(isGood) };
    this.#dueAt = after(now, HELLO_WAIT);
  }

  #endTurn({ endpoint, turns, answered }: Phase & { name: 'trying' }, now: Millis): void {
    if (endpoint !== undefined && answered) this.#failed.add(endpoint, now);
    this.#nextTurn(turns, now);
  }

  #nextTurn([endpoint, ...turns]: readonly Endpoint[], now: Millis): void {
    if (endpoint !== undefined && !this.#hasRelay) return this.#try(endpoint, { turns, answered: false }, now);
    if (this.#phase.name === 'trying' && this.#hasRelay) this.#output.push({ kind: 'relay' });
    const backOff = this.#backOff;
    const maxBackOff = this.candidates.hasHeard ? MAX_BACK_OFF : MAX_UNHEARD_BACK_OFF;
    this.#backOff = millis(Math.min(maxBackOff, backOff * 2));
    this.#retryAt = after(now, backOff);
    this.#rest(this.#retryAt);
    this.#output.push({ kind: 'failed' });
  }

  #try(endpoint: Endpoint, rest: { turns: readonly Endpoint[]; answered: boolean }, now: Millis): void {
    const until = after(now, this.#candidateTime());
    this.#phase = { name: 'trying', endpoint, ...rest, until };
    this.#hasTried = true;
    this.#output.push({ kind: 'endpoint', endpoint }, { kind: 'hello', to: endpoint });
    this.#probeUntil(until, now);
  }

  /** Again and again: a probe may come to the device before its peer does, or to the node before ours is known there. */
  #probeUntil(until: Millis, now: Millis): void {
    this.#dueAt = millis(Math.min(until, now + (this.#hasRelay ? QUICK_PROBE_WAIT : PROBE_WAIT)));
    const nonce = this.#nonce();
    this.#probedAt = now;
    this.#probes.set(nonce, now);
    if (this.#probes.size > MAX_PROBES_KEPT) this.#probes.delete(this.#probes.keys().next().value as bigint);
    this.#output.push({ kind: 'probe', nonce, isConfirmed: false });
  }

  #rest(until: Millis): void {
    this.#phase = { name: 'resting' };
    this.#dueAt = until;
  }
}
