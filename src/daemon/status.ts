import type { HostDocument, StatusDocument } from '../api/index.ts';
import { formatAddress, formatEndpoint, formatPrefix } from '../inet/index.ts';
import type { PathCounters } from '../device/index.ts';
import type { NodeStatus, NodeView } from '../mesh/index.ts';

/** What the status holds that the mesh node does not know. */
export type HostStatus = Pick<
  StatusDocument['self'],
  'interface' | 'port' | 'wireGuardPublicKey' | 'trust' | 'links' | 'startedAtUnixMs'
> & { readonly host: HostDocument };

export function statusDocument(
  { self, nodes, bootstraps, networks, drops }: NodeStatus,
  { host, ...rest }: HostStatus,
): StatusDocument {
  const { nodeId, hostName, meshName, sequence } = self;
  return {
    self: { nodeId, address: formatAddress(self.address), hostName, meshName, sequence, ...rest },
    nodes: nodes.map(nodeDocument).sort((a, b) => (a.hostName + a.nodeId < b.hostName + b.nodeId ? -1 : 1)),
    bootstraps: bootstraps.map(({ endpoint, state }) => ({ endpoint: formatEndpoint(endpoint), state })),
    networks: networksDocument(networks, new Map(nodes.map((node) => [node.nodeId, node.hostName]))),
    host,
    drops,
  };
}

/** What the device dropped, by reason, in the spelling of the node's reasons: those that there were. */
export function dropsOfDevice(counters: PathCounters): Record<string, number> {
  const counted = Object.entries(counters).filter(([, count]) => count > 0);
  return Object.fromEntries(
    counted.map(([name, count]) => [name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`), count]),
  );
}

function nodeDocument(node: NodeView): StatusDocument['nodes'][number] {
  const { nodeId, hostName, foundBy, state, isNeighbour, path, rxBytes, txBytes } = node;
  return {
    nodeId,
    address: formatAddress(node.address),
    hostName,
    ...(node.endpoint && { endpoint: formatEndpoint(node.endpoint) }),
    foundBy,
    state,
    path: path.kind,
    ...(path.kind === 'relayed' && { via: path.via, viaNodeId: path.viaNodeId, metric: path.metric }),
    isNeighbour,
    ...(node.lastHandshakeAt !== undefined && { lastHandshakeAtUnixMs: node.lastHandshakeAt }),
    rxBytes,
    txBytes,
    ...(node.roundTripTime !== undefined && { roundTripTimeMs: node.roundTripTime }),
    ...(node.isUnstable && { isUnstable: true }),
    ...(node.packetLimit?.isProved === true && { pathMtu: node.packetLimit.mtu }),
  };
}

function networksDocument(
  { offered, imported }: NodeStatus['networks'],
  hostNames: ReadonlyMap<string, string>,
): StatusDocument['networks'] {
  return {
    offered: offered.map(({ prefix, preference }) => ({ prefix: formatPrefix(prefix), preference })),
    imported: imported.map(({ prefix, offers }) => ({
      prefix: formatPrefix(prefix),
      gateways: offers.map(({ nodeId, preference, path, isInUse }) => ({
        ...{ nodeId, hostName: hostNames.get(nodeId) ?? '', preference, isInUse },
        ...(path && { metric: path.metric }),
      })),
    })),
  };
}
