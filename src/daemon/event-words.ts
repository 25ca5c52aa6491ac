import { formatAddress, formatEndpoint, type Endpoint } from '../inet/index.ts';
import { MAX_NODES, type NodeEvent } from '../mesh/index.ts';
import { nodeLabel } from '../printable.ts';
import { describeNetworkEvent } from './network-words.ts';

/** What an event does not hold and its words need. */
export interface EventContext {
  readonly endpoint: Endpoint | undefined;
  /** The link with that interface index. */
  readonly linkName: (index: number) => string | undefined;
  readonly roundTripTimeMs: number | undefined;
}

export interface EventWords {
  readonly level: 'debug' | 'info' | 'warn';
  readonly words: string;
}

const WAYS: Readonly<Record<NodeEvent['foundBy'], string>> = {
  beacon: 'beacon',
  bootstrap: 'bootstrap',
  call: 'its call',
  gossip: 'gossip',
  memory: 'calling where it was before',
};

/** An event in words that an administrator understands, and that say what to do where there is something to do. */
export function describeEvent(event: NodeEvent, context: EventContext): EventWords {
  const { nodeId, hostName: name } = event;
  const label = nodeLabel(event);
  const reason = event.reason ?? 'no reason given';
  switch (event.kind) {
    case 'found':
      return {
        level: 'info',
        words: `found ${name} (${formatAddress(event.address)})${place(context)} by ${WAYS[event.foundBy]}`,
      };
    case 'trusted':
      return { level: 'info', words: `trusted ${name} (node id ${nodeId})` };
    case 'refused':
      return {
        level: 'warn',
        words: `ignored ${name} (node id ${nodeId}): ${reason}; to trust it add "--pin ${nodeId}"`,
      };
    case 'tunnel-up': {
      const time = context.roundTripTimeMs === undefined ? '' : `, ${context.roundTripTimeMs.toFixed(1)} ms`;
      return { level: 'info', words: `tunnel to ${label} up${place(context)}${time}` };
    }
    case 'lost':
      return { level: 'warn', words: `lost the direct path to ${label}` };
    case 'unstable':
      return {
        level: 'warn',
        words: `the direct path to ${label} comes and goes: left alone for some minutes if a relay leads there`,
      };
    case 'left':
      return { level: 'info', words: `${label} has left` };
    case 'rerouted':
      return { level: 'info', words: `${label} is reached ${event.reason === 'none' ? 'no more' : reason}` };
    case 'path-narrow':
      return { level: 'warn', words: `${label}: ${reason}` };
    case 'path-whole':
      return { level: 'info', words: `${label}: ${reason}` };
    case 'updated':
      return { level: 'debug', words: `${label} has a new description` };
    case 'expired':
      return { level: 'info', words: `forgot ${label}: its description has expired` };
    case 'identity-contradiction':
      return { level: 'warn', words: `${name} (node id ${nodeId}) contradicts another node: ${reason}` };
    case 'table-full':
      return {
        level: 'warn',
        words: `the table of ${MAX_NODES} nodes is full, so that ${label} and others find no room; if these are more than you have, choose whom to trust by "--pin"`,
      };
    case 'gateway-chosen':
    case 'gateway-cut':
    case 'offer-refused':
      return describeNetworkEvent(event.kind, event, context.roundTripTimeMs);
  }
}

/** On a link where the endpoint means something only there, else at the endpoint. */
function place({ endpoint, linkName }: EventContext): string {
  if (endpoint === undefined) return '';
  if (endpoint.scopeId === 0) return ` at ${formatEndpoint(endpoint)}`;
  return ` on ${linkName(endpoint.scopeId) ?? `interface ${endpoint.scopeId}`}`;
}
