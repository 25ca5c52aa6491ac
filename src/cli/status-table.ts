import { printable, type NodeDocument, type StatusDocument } from '../api/index.ts';
import { renderNetworks } from './networks-table.ts';
import { nodeNames, type NodeNames } from './node-names.ts';
import { plainTable } from './plain-table.ts';

/** The status for people: a few lines about this node, a table of the others. `colour` is for terminals. */
export function renderStatus(status: StatusDocument, nowUnixMs: number, colour: boolean): string {
  const { self, nodes, networks, host } = status;
  const nameOf = nodeNames(status);
  const direct = nodes.filter((node) => node.path === 'direct').length;
  const relayed = nodes.filter((node) => node.path === 'relayed').length;
  const lines = [
    `${self.hostName}  ${self.address}  on ${self.interface}, UDP port ${self.port}, links ${self.links.join(', ') || 'none'}`,
    `node id ${self.nodeId}`,
    `mesh "${self.meshName}", trust ${self.trust}: ${nodes.length} other ${nodes.length === 1 ? 'node' : 'nodes'}, ${direct} direct, ${relayed} relayed`,
  ];
  const refused = status.drops['table-full'] ?? 0;
  if (refused > 0) lines.push(`the table of nodes is full, ${refused} were refused; choose whom to trust by "--pin"`);
  for (const { endpoint, state } of status.bootstraps) {
    if (state === 'silent') lines.push(`bootstrap ${endpoint} does not answer`);
    if (state === 'self') lines.push(`bootstrap ${endpoint} is this node itself`);
  }
  if (!host.interfaceUp) lines.push(`${self.interface} is down: nothing goes through the mesh`);
  for (const { atUnixMs, words } of host.changes.slice(-SHOWN_CHANGES)) {
    if (nowUnixMs - atUnixMs < CHANGE_SHOWN_MS) lines.push(`${formatAge(nowUnixMs - atUnixMs)} ago: ${words}`);
  }
  const rows = nodes.map((node) => rowOf(node, nameOf, nowUnixMs));
  const tables = [
    rows.length > 0 ? plainTable(HEAD, rows, colour) : undefined,
    renderNetworks(networks, nameOf, colour),
  ];
  return [lines.map(printable).join('\n'), ...tables.filter((table) => table !== undefined)].join('\n\n');
}

/** Of what others did on this host. All that is kept stands in `status --json`. */
const SHOWN_CHANGES = 3;
const CHANGE_SHOWN_MS = 3_600_000;

const HEAD = [
  'NODE',
  'ADDRESS',
  'PATH',
  'ENDPOINT',
  'FOUND BY',
  'HANDSHAKE',
  'RECEIVED',
  'SENT',
  'ROUND TRIP',
  'MTU',
  'STATE',
];
function rowOf(node: NodeDocument, nameOf: NodeNames, nowUnixMs: number): string[] {
  const { lastHandshakeAtUnixMs: handshakeAt, roundTripTimeMs } = node;
  return [
    nameOf(node),
    node.address,
    pathWords(node, nameOf),
    node.path === 'relayed' ? '-' : (node.endpoint ?? '-'),
    node.foundBy,
    handshakeAt === undefined ? 'never' : formatAge(nowUnixMs - handshakeAt),
    formatBytes(node.rxBytes),
    formatBytes(node.txBytes),
    roundTripTimeMs === undefined ? '-' : `${roundTripTimeMs.toFixed(1)} ms`,
    node.pathMtu === undefined ? '-' : String(node.pathMtu),
    node.isUnstable ? `${node.state}, unstable` : node.state,
  ];
}

/** `direct`, `via gamma`, or `-`. */
function pathWords({ path, via = '?', viaNodeId }: NodeDocument, nameOf: NodeNames): string {
  if (path === 'relayed') return `via ${nameOf({ hostName: via, nodeId: viaNodeId })}`;
  return path === 'direct' ? 'direct' : '-';
}

/** `12 s`, `3 min`, `5 h`, `2 d`: enough to see whether something is wrong. */
export function formatAge(ageMs: number): string {
  const inSeconds = Math.max(0, Math.floor(ageMs / 1000));
  if (inSeconds < 120) return `${inSeconds} s`;
  if (inSeconds < 2 * 3600) return `${Math.floor(inSeconds / 60)} min`;
  if (inSeconds < 2 * 86_400) return `${Math.floor(inSeconds / 3600)} h`;
  return `${Math.floor(inSeconds / 86_400)} d`;
}

/** Binary units, as `wg show` has them. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const power = Math.min(4, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toFixed(1)} ${['KiB', 'MiB', 'GiB', 'TiB'][power - 1]}`;
}
