/** The source table: the best distance that we have ever announced for a source (RFC 8966 §3.2.5, §3.7.3). */
import { after, type Millis } from '../machine/index.ts';
import type { RouterId } from './router-id.ts';
import { isSeqnoLess, seqnoPlus } from './seqno.ts';
import { INFINITE } from './constants.ts';
import { Sweep } from './sweep.ts';

export interface Distance {
  readonly seqno: number;
  readonly metric: number;
}

interface Source {
  readonly prefixKey: string;
  feasibilityDistance: Distance;
  collectAt: Millis;
}

export class SourceTable {
  readonly #max: number;
  readonly #lifetime: Millis;
  readonly #sources = new Map<string, Source>();
  readonly #sweep = new Sweep();

  /** `lifetime`: how long a distance is remembered after the last announcement. */
  constructor(max: number, lifetime: Millis) {
    this.#max = max;
    this.#lifetime = lifetime;
  }

  /** Whether a route of that distance cannot lead back here (§3.5.1). */
  isFeasible(prefixKey: string, routerId: RouterId, { seqno, metric }: Distance): boolean {
    if (metric >= INFINITE) return true;
    const source = this.#sources.get(sourceKey(prefixKey, routerId));
    return source === undefined || isBetter({ seqno, metric }, source.feasibilityDistance);
  }

  /** The seqno to ask for so that routes to the source become feasible (§3.8.2.1). */
  nextSeqno(prefixKey: string, routerId: RouterId): number | undefined {
    const source = this.#sources.get(sourceKey(prefixKey, routerId));
    return source === undefined ? undefined : seqnoPlus(source.feasibilityDistance.seqno, 1);
  }

  /**
   * Whoever knows says that `seqno` is the newest there is: a distance of a newer one was somebody else's invention, or of
   * an earlier life. Only what bears `seqno` itself is feasible then: of anything older it is not known what it has seen.
   * @returns whether there was such a distance
   */
  limit(prefixKey: string, routerId: RouterId, seqno: number): boolean {
    const source = this.#sources.get(sourceKey(prefixKey, routerId));
    // Half the circle away is neither newer nor older: it is another life's, too.
    if (source === undefined || !isOlderOrOpposite(seqno, source.feasibilityDistance.seqno)) return false;
    source.feasibilityDistance = { seqno, metric: INFINITE };
    return true;
  }

  /** Notes that an update of that finite distance is about to be sent. @returns false if there is no room: it must not be */
  announce(prefixKey: string, routerId: RouterId, distance: Distance, now: Millis): boolean {
    const key = sourceKey(prefixKey, routerId);
    const collectAt = after(now, this.#lifetime);
    const source = this.#sources.get(key);
    if (source === undefined) {
      if (this.#sources.size >= this.#max) return false;
      this.#sources.set(key, { prefixKey, feasibilityDistance: distance, collectAt });
    } else {
      if (isBetter(distance, source.feasibilityDistance)) source.feasibilityDistance = distance;
      source.collectAt = collectAt;
    }
    this.#sweep.add(collectAt);
    return true;
  }

  /** @returns the keys of the prefixes of which other routes may be feasible now */
  handleTimeout(now: Millis): Set<string> {
    const forgotten = new Set<string>();
    if (!this.#sweep.take(now)) return forgotten;
    for (const [key, { prefixKey, collectAt }] of this.#sources) {
      if (collectAt > now) {
        this.#sweep.add(collectAt);
        continue;
      }
      this.#sources.delete(key);
      forgotten.add(prefixKey);
    }
    return forgotten;
  }

  nextTimeout(): Millis | undefined {
    return this.#sweep.next;
  }
}

/** §3.5.1: newer, or as new and shorter. */
function isBetter(a: Distance, b: Distance): boolean {
  return isSeqnoLess(b.seqno, a.seqno) || (a.seqno === b.seqno && a.metric < b.metric);
}

function isOlderOrOpposite(a: number, b: number): boolean {
  return a !== b && !isSeqnoLess(b, a);
}

function sourceKey(prefixKey: string, routerId: RouterId): string {
  return `${prefixKey} ${routerId}`;
}
