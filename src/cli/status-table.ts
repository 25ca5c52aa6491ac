import Table from 'cli-table3';
import { printable, type NodeDocument, type StatusDocument } from '../api/index.ts';

/** The status for people: a few lines about this node, a table of the others. `colour` is for terminals. */
export function renderStatus({ self, nodes }: StatusDocument, nowUnixMs: number, colour: boolean): string {
  const direct = nodes.filter((node) => node.path === 'direct').length;
  const relayed = nodes.filter((node) => node.path === 'relayed').length;
  const lines = [
    `${printable(self.hostName)}  ${self.address}  on ${self.interface}, UDP port ${self.port}, links ${self.links.join(', ') || 'none'}`,
    `node id ${self.nodeId}`,
    `mesh "${printable(self.meshName)}", trust ${self.trust}: ${nodes.length} other ${nodes.length === 1 ? 'node' : 'nodes'}, ${direct} direct, ${relayed} relayed`,
  ];
  return nodes.length === 0 ? lines.join('\n') : `${lines.join('\n')}\n\n${renderNodes(nodes, nowUnixMs, colour)}`;
}

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
  'STATE',
];
const EDGES = ['top', 'bottom', 'left', 'right', 'mid'];
const CORNERS = [
  'top-mid',
  'top-left',
  'top-right',
  'bottom-mid',
  'bottom-left',
  'bottom-right',
  'left-mid',
  'mid-mid',
  'right-mid',
];
const NO_BORDERS = { ...Object.fromEntries([...EDGES, ...CORNERS].map((part) => [part, ''])), middle: '  ' };

function renderNodes(nodes: readonly NodeDocument[], nowUnixMs: number, colour: boolean): string {
  const table = new Table({
    head: HEAD,
    chars: NO_BORDERS,
    style: { head: colour ? ['bold'] : [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
  });
  for (const node of nodes) table.push(rowOf(node, nowUnixMs));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

function rowOf(node: NodeDocument, nowUnixMs: number): string[] {
  const { lastHandshakeAtUnixMs: handshakeAt, roundTripTimeMs } = node;
  return [
    printable(node.hostName),
    node.address,
    pathWords(node),
    node.path === 'relayed' ? '-' : (node.endpoint ?? '-'),
    node.foundBy,
    handshakeAt === undefined ? 'never' : formatAge(nowUnixMs - handshakeAt),
    formatBytes(node.rxBytes),
    formatBytes(node.txBytes),
    roundTripTimeMs === undefined ? '-' : `${roundTripTimeMs.toFixed(1)} ms`,
    node.state,
  ];
}

/** `direct`, `via gamma`, or `-`. */
function pathWords({ path, via = '?' }: NodeDocument): string {
  if (path === 'relayed') return `via ${printable(via)}`;
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
