import type { NetworksDocument } from '../api/index.ts';
import type { NodeNames } from './node-names.ts';
import { plainTable } from './plain-table.ts';

const HEAD = ['NETWORK', 'GATEWAY', 'PREFERENCE', 'METRIC', 'STATE'];

/** What this node offers and imports, for people; `undefined` if it does neither. */
export function renderNetworks(networks: NetworksDocument, nameOf: NodeNames, colour: boolean): string | undefined {
  const { offered, imported } = networks;
  const parts: string[] = [];
  if (offered.length > 0) {
    parts.push(`offers ${offered.map(({ prefix, preference }) => `${prefix} (preference ${preference})`).join(', ')}`);
  }
  const rows = imported.flatMap(({ prefix, gateways }) =>
    gateways.map((gateway, i) => [i === 0 ? prefix : '', ...cellsOf(gateway, nameOf)]),
  );
  if (rows.length > 0) parts.push(plainTable(HEAD, rows, colour));
  return parts.length === 0 ? undefined : parts.join('\n\n');
}

type Gateway = NetworksDocument['imported'][number]['gateways'][number];

function cellsOf(gateway: Gateway, nameOf: NodeNames): string[] {
  const { preference, metric, isInUse } = gateway;
  return [nameOf(gateway), String(preference), metric?.toFixed(0) ?? '-', stateOf(metric !== undefined, isInUse)];
}

function stateOf(isReachable: boolean, isInUse: boolean): string {
  if (isInUse) return isReachable ? 'in use' : 'in use, unreachable';
  return isReachable ? 'standby' : 'unreachable';
}
