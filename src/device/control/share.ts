import { isLinkLocal, type Endpoint, type IpAddress } from '../../inet/index.ts';
import type { Millis } from '../../machine/index.ts';

/** So many messages a second for all who have the share together, and for each of them. */
export class Share {
  readonly #total: number;
  readonly #perSource: number;
  /** Of this second; no more entries than `#total`. */
  readonly #countBySource = new Map<string, number>();
  #second = 0;
  #count = 0;

  constructor({ total, perSource }: { readonly total: number; readonly perSource: number }) {
    this.#total = total;
    this.#perSource = perSource;
  }

  /** Takes one for `source`. @returns whether there was one left */
  take(source: string, now: Millis): boolean {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#count = 0;
      this.#countBySource.clear();
    }
    const count = this.#countBySource.get(source) ?? 0;
    if (this.#count >= this.#total || count >= this.#perSource) return false;
    this.#countBySource.set(source, count + 1);
    this.#count++;
    return true;
  }
}

export function addressKey({ bytes }: IpAddress): string {
  return String.fromCharCode(...bytes);
}

/** One address, or one /64 of IPv6, since that is what one host can have for nothing. On a link all have the same. */
export function sourceKey({ address, scopeId }: Endpoint): string {
  if (isLinkLocal(address)) return `${scopeId} ${addressKey(address)}`;
  return String.fromCharCode(...address.bytes.subarray(0, 8));
}
