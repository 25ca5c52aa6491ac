/** The table of pending seqno requests (RFC 8966 §3.2.7, §3.8). */
import type { Prefix } from '../inet/index.ts';
import { after, millis, type Millis } from '../machine/index.ts';
import { DUPLICATE_TIMEOUT, FORWARDED_TIMEOUT, REQUEST_RESENDS, REQUEST_TIMEOUT } from './constants.ts';
import type { Neighbour } from './neighbours.ts';
import type { RouterId } from './router-id.ts';
import { isSeqnoLess } from './seqno.ts';
import { Sweep } from './sweep.ts';

/** What is wished for: a route to the prefix from another router, or of this seqno at least. */
export interface Wish {
  readonly key: string;
  readonly prefix: Prefix;
  readonly routerId: RouterId;
  readonly seqno: number;
}

export interface PendingRequest extends Wish {
  /** Whom we asked. */
  readonly asked: Set<Neighbour>;
  /** On behalf of whom. */
  readonly waiting: Set<Neighbour>;
  /** How often it is yet sent again; `undefined` if it was somebody else's. */
  resendsLeft: number | undefined;
  timeout: Millis;
  dueAt: Millis;
  sentAt: Millis;
}

export class RequestTable {
  readonly #max: number;
  readonly #requests = new Map<string, PendingRequest>();
  readonly #sweep = new Sweep();

  constructor(max: number) {
    this.#max = max;
  }

  /**
   * Notes a request of our own.
   * @returns which of `neighbours` are to be asked: who has been asked for as much is asked again in time; `undefined` if
   * there is no room
   */
  originate(wish: Wish, neighbours: readonly Neighbour[], now: Millis): Neighbour[] | undefined {
    const known = this.#requests.get(requestKey(wish));
    const isCovered = known?.resendsLeft !== undefined && !isSeqnoLess(known.seqno, wish.seqno);
    if (known !== undefined && isCovered) {
      const fresh = neighbours.filter((neighbour) => !known.asked.has(neighbour));
      for (const neighbour of fresh) known.asked.add(neighbour);
      return fresh;
    }
    const waiting = known?.waiting ?? new Set();
    const times = {
      resendsLeft: REQUEST_RESENDS,
      timeout: REQUEST_TIMEOUT,
      dueAt: after(now, REQUEST_TIMEOUT),
      sentAt: now,
    };
    return this.#add({ ...wish, asked: new Set(neighbours), waiting, ...times }) ? [...neighbours] : undefined;
  }

  /** Notes that `from` waits for `wish`. @returns whether it is to be forwarded: not if we have just asked for as much */
  forward(wish: Wish, from: Neighbour, now: Millis): boolean | undefined {
    const known = this.#requests.get(requestKey(wish));
    if (known !== undefined && !isSeqnoLess(known.seqno, wish.seqno)) {
      known.waiting.add(from);
      if (after(known.sentAt, DUPLICATE_TIMEOUT) > now) return false;
      known.sentAt = now;
      return true;
    }
    const waiting = new Set(known?.waiting).add(from);
    // A wish of our own for less is part of this one.
    const times = known?.resendsLeft === undefined ? { resendsLeft: undefined, timeout: FORWARDED_TIMEOUT } : known;
    const { resendsLeft, timeout } = times;
    const request = { ...wish, asked: new Set<Neighbour>(), waiting, resendsLeft, timeout, dueAt: after(now, timeout) };
    return this.#add({ ...request, sentAt: now }) ? true : undefined;
  }

  /** Takes out what a selected route to `key` with that distance grants. */
  grant(key: string, routerId: RouterId, seqno: number): PendingRequest[] {
    const granted: PendingRequest[] = [];
    if (this.#requests.size === 0) return granted;
    for (const [requested, request] of this.#requests) {
      if (request.key !== key) continue;
      if (request.routerId === routerId && isSeqnoLess(seqno, request.seqno)) continue;
      granted.push(request);
      this.#requests.delete(requested);
    }
    return granted;
  }

  forget(neighbour: Neighbour): void {
    for (const { asked, waiting } of this.#requests.values()) {
      asked.delete(neighbour);
      waiting.delete(neighbour);
    }
  }

  /** @returns those to be sent again */
  handleTimeout(now: Millis): PendingRequest[] {
    const due: PendingRequest[] = [];
    if (!this.#sweep.take(now)) return due;
    for (const [key, request] of this.#requests) {
      if (request.dueAt <= now) {
        if (request.resendsLeft === undefined || request.resendsLeft === 0) {
          this.#requests.delete(key);
          continue;
        }
        request.resendsLeft -= 1;
        request.timeout = millis(request.timeout * 2);
        request.dueAt = after(now, request.timeout);
        request.sentAt = now;
        due.push(request);
      }
      this.#sweep.add(request.dueAt);
    }
    return due;
  }

  nextTimeout(): Millis | undefined {
    return this.#sweep.next;
  }

  #add(request: PendingRequest): boolean {
    const key = requestKey(request);
    if (!this.#requests.has(key) && this.#requests.size >= this.#max) return false;
    this.#requests.set(key, request);
    this.#sweep.add(request.dueAt);
    return true;
  }
}

function requestKey({ key, routerId }: Wish): string {
  return `${key} ${routerId}`;
}
