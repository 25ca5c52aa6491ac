/** Whom this node builds tunnels to. What a trusted node may announce is a question of its own. */
import type { Description } from './description.ts';

export type TrustPolicy =
  /** Anyone of the same mesh name, as BMX7 does by default. */
  | { readonly mode: 'open' }
  /** An explicit list of node ids. */
  | { readonly mode: 'pinned'; readonly nodeIds: ReadonlySet<string> };

export type Verdict = { readonly trusted: true } | { readonly trusted: false; readonly reason: string };

/** A verdict on a description whose signature is right. `reason` is for an administrator to read. */
export function judge(policy: TrustPolicy, { nodeId }: Description): Verdict {
  switch (policy.mode) {
    case 'open':
      return { trusted: true };
    case 'pinned':
      return policy.nodeIds.has(nodeId) ? { trusted: true } : { trusted: false, reason: 'its node id is not pinned' };
  }
}
