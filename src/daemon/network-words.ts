import { formatPrefix, isHostPrefix } from '../inet/index.ts';
import type { NodeEvent } from '../mesh/index.ts';
import { nodeLabel } from '../printable.ts';

type NetworkEventKind = 'gateway-chosen' | 'gateway-cut' | 'offer-refused';

/** An event that is about a network, in words. Addresses of single nodes are networks, too: many, and no news. */
export function describeNetworkEvent(
  kind: NetworkEventKind,
  event: NodeEvent,
  roundTripTimeMs: number | undefined,
): { level: 'debug' | 'info' | 'warn'; words: string } {
  const { hostName: name, nodeId, prefix, reason } = event;
  const network = prefix === undefined ? 'a network' : formatPrefix(prefix);
  const isOfOneNode = prefix !== undefined && isHostPrefix(prefix);
  switch (kind) {
    case 'gateway-chosen': {
      const time = roundTripTimeMs === undefined ? '' : `, ${roundTripTimeMs.toFixed(1)} ms`;
      return {
        level: isOfOneNode ? 'debug' : 'info',
        words: `gateway for ${network}: ${nodeLabel(event)}, ${reason}${time}`,
      };
    }
    case 'gateway-cut': {
      const words = `no gateway for ${network} can be reached: what is sent there waits for ${nodeLabel(event)}`;
      return { level: isOfOneNode ? 'debug' : 'warn', words };
    }
    case 'offer-refused':
      return { level: 'debug', words: `ignored the offer of ${network} by ${name} (node id ${nodeId}): ${reason}` };
  }
}
