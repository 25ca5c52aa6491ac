/**
 * The network under a lab's mesh, as lines for `ip -batch`: a namespace a node, a veth pair a link, an address a node
 * and static routes along the shortest ways (docs/decisions/0007-routed-underlay-in-the-lab.md). Runs nothing.
 */
import { neighboursOf, nextHopsFrom, nodeNumbers, type Link } from './topology.ts';

export const DEFAULT_LAB = 'default';
/** What a lab may be called: its name becomes part of names of namespaces and files. */
export const LAB_NAME = /^[a-z0-9]{1,16}$/;
/** A machine has no room for more daemons; addresses and interface names would do. */
export const MAX_NODES = 250;

/** The name of node `node` to people, in the lab's commands and in the mesh. */
export function nodeName(node: number): string {
  return `n${node}`;
}

/** Labs other than the default one have their own name in those of their namespaces. */
export function namespaceName(lab: string, node: number): string {
  return namespaceOf(lab, nodeName(node));
}

export function namespaceOf(lab: string, node: string): string {
  return `${namePrefix(lab)}-${node}`;
}

/** Where the lab keeps what is no node's; no node can have this name. */
export function cablesNamespace(lab: string): string {
  return `${namePrefix(lab)}+cables`;
}

function namePrefix(lab: string): string {
  return lab === DEFAULT_LAB ? 'wmlab' : `wmlab-${lab}`;
}

/** The name of the interface that leads to a neighbour; the same in every namespace. */
export function interfaceTo(neighbour: number): string {
  return `to-${nodeName(neighbour)}`;
}

/** Where node `node` is reached in the underlay: a unique local address (RFC 4193), on the loopback interface. */
export function underlayAddress(node: number): string {
  return `fd00:6c61:62::${node.toString(16)}`;
}

/** Chosen by number, so that routes can name it before the link exists; the same on all links of a node. */
function linkLocalAddress(node: number): string {
  return `fe80::${node.toString(16)}`;
}

/** Creates namespaces and links. A veth pair is born in its namespaces, so none can be left in the host's. */
export function creationLines(lab: string, count: number, links: readonly Link[]): string[] {
  return [
    ...nodeNumbers(count).map((node) => `netns add ${namespaceName(lab, node)}`),
    ...links.map(
      ([a, b]) =>
        `link add ${interfaceTo(b)} netns ${namespaceName(lab, a)} type veth ` +
        `peer name ${interfaceTo(a)} netns ${namespaceName(lab, b)}`,
    ),
  ];
}

/** Gives one node its addresses and routes; to be run in its namespace. */
export function nodeLines(node: number, links: readonly Link[]): string[] {
  const address = underlayAddress(node);
  const ownLinks = neighboursOf(node, links).map(interfaceTo);
  return [
    'link set dev lo up',
    `address add ${address}/128 dev lo nodad`,
    ...ownLinks.flatMap((link) => [
      `link set dev ${link} addrgenmode none`,
      `link set dev ${link} up`,
      // Nobody else can be on the link: waiting for duplicate address detection would only cost a second.
      `address add ${linkLocalAddress(node)}/64 dev ${link} nodad`,
    ]),
    ...[...nextHopsFrom(node, links)].map(
      ([to, via]) =>
        `route add ${underlayAddress(to)}/128 via ${linkLocalAddress(via)} dev ${interfaceTo(via)} src ${address}`,
    ),
  ];
}
