import type { Config } from './config.ts';

type Trust = Pick<Config, 'trust' | 'pin'>;

/** Whom a node trusts, as the log says it. */
export function trustWords({ trust, pin }: Trust): string {
  if (trust === 'open') return 'every node of it';
  return pin.length === 1 ? '1 pinned node' : `${pin.length} pinned nodes`;
}

/** In words, with what to do. */
export function trustWarnings({ trust, pin }: Trust): string[] {
  if (trust === 'open' || pin.length > 0) return [];
  return ['this node trusts nobody, since no node is pinned: add "--pin NODE-ID", or say "--trust open"'];
}
