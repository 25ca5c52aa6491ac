/**
 * The network of a scenario, as lines for `ip -batch` and rules for nft; runs nothing. Each link is a segment of its own
 * and nothing is routed but where the scenario says so (unlike the underlay of `lab up`, decision 0007). A link of the
 * kernel's is a bridge, in a namespace that holds all bridges, with a veth pair to each node: so it can be cut without
 * its ends noticing, and a node moved from one to another.
 */
import type { LinkEnd, Scenario, ScenarioLink, ScenarioNode } from '../scenario/scenario.ts';
import type { NatPorts } from '../scenario/schema.ts';
import { cablesNamespace, namespaceOf } from '../underlay.ts';

const CHANGED_PORT = 20_000;

export function namespaceLines(lab: string, nodes: readonly ScenarioNode[]): string[] {
  const names = [...nodes.map(({ name }) => namespaceOf(lab, name)), cablesNamespace(lab)];
  return names.map((name) => `netns add ${name}`);
}

/** The name of the bridge of link number `link`. */
function bridgeOf(link: number): string {
  return `link${link}`;
}

/** The end, at the bridge, of the cable to a node. A node keeps its cable when it moves to another link. */
function cableOf({ number }: ScenarioNode, link: number): string {
  return `n${number}-l${link}`;
}

/** Of one link that the kernel makes; to be run in the namespace of cables. */
export function cableLines(lab: string, { nodes, links }: Scenario, link: ScenarioLink): string[] {
  const number = links.indexOf(link);
  const bridge = bridgeOf(number);
  return [
    // The bridge of a cable has nothing to learn and nobody to ask: frames go out from the first moment.
    `link add name ${bridge} mtu ${link.mtu} type bridge forward_delay 0 stp_state 0 mcast_snooping 0`,
    ...link.ends.flatMap((end) => {
      const cable = cableOf(nodeOf(nodes, end), number);
      return [
        `link add name ${cable} mtu ${link.mtu} type veth ` +
          `peer name ${end.interface} netns ${namespaceOf(lab, end.node)}`,
        `link set dev ${cable} master ${bridge}`,
        `link set dev ${cable} up`,
      ];
    }),
    `link set dev ${bridge} up`,
  ];
}

/** Interfaces, addresses and routes of one node; to be run in its namespace. */
export function nodeLines({ links }: Scenario, node: ScenarioNode): string[] {
  return [
    'link set dev lo up',
    ...(node.kind === 'wireguard-go+babeld'
      ? overlayAddresses(node).map((address) => `address add ${address} dev lo nodad`)
      : []),
    ...links.flatMap(({ ends, mtu }) =>
      ends
        .filter((end) => end.node === node.name)
        .flatMap((end) => [
          `link set dev ${end.interface} addrgenmode none`,
          `link set dev ${end.interface} mtu ${mtu}`,
          `link set dev ${end.interface} up`,
          `address add ${linkLocalAddress(node)}/64 dev ${end.interface} nodad`,
          ...end.addresses.map((address) => addAddressLine(end.interface, address)),
        ]),
    ),
    // As an administrator's own: babeld leaves alone what has no protocol.
    ...node.routes.map(({ to, via }) => `route replace ${to} via ${via} proto static`),
  ];
}

function addAddressLine(name: string, address: string): string {
  return `address add ${address} dev ${name}${address.includes(':') ? ' nodad' : ''}`;
}

/** Takes the addresses of the scenario away from an interface, and gives it others. */
export function readdressLines(name: string, before: readonly string[], after: readonly string[]): string[] {
  return [
    ...before.map((address) => `address delete ${address} dev ${name}`),
    ...after.map((address) => addAddressLine(name, address)),
  ];
}

/** To be run in the namespace of cables. */
export function cutLines({ nodes, links }: Scenario, link: ScenarioLink, how: 'silent' | 'carrier'): string[] {
  return cableStateLines({ nodes, links }, link, how === 'silent' ? ['bridge'] : ['cables'], 'down');
}

export function healLines({ nodes, links }: Scenario, link: ScenarioLink): string[] {
  return cableStateLines({ nodes, links }, link, ['bridge', 'cables'], 'up');
}

function cableStateLines(
  { nodes, links }: Pick<Scenario, 'nodes' | 'links'>,
  link: ScenarioLink,
  what: readonly ('bridge' | 'cables')[],
  state: 'up' | 'down',
): string[] {
  const number = links.indexOf(link);
  // A bridge that is down forwards nothing, while its ports keep their carrier.
  const bridge = what.includes('bridge') ? [bridgeOf(number)] : [];
  const cables = what.includes('cables') ? link.ends.map((end) => cableOf(nodeOf(nodes, end), number)) : [];
  return [...bridge, ...cables].map((name) => `link set dev ${name} ${state}`);
}

/** Pulls the node's cable, made for link number `made`. */
export function unplugLines(node: ScenarioNode, made: number): string[] {
  return [`link set dev ${cableOf(node, made)} down`];
}

/** Plugs that cable in at link number `to`. */
export function plugLines(node: ScenarioNode, made: number, to: number): string[] {
  return [`link set dev ${cableOf(node, made)} master ${bridgeOf(to)}`, `link set dev ${cableOf(node, made)} up`];
}

/** The same on all links of a node. */
export function linkLocalAddress({ number }: { readonly number: number }): string {
  return `fe80::${number.toString(16)}`;
}

/** Of a node of kind `wireguard-go+babeld`: where the others reach it, as a node of a mesh has an address. */
export function overlayAddresses({ number }: { readonly number: number }): [v6: string, v4: string] {
  return [`fd77:6c61:62::${number.toString(16)}/128`, `10.77.0.${number}/32`];
}

/** Rules for nft: what comes from inside leaves under the address of `outside`; what comes in unasked stays out. */
export function natRules(outside: string, ports: NatPorts): string {
  const rules = {
    kept: 'masquerade',
    // The kernel has no mapping that is random and the same to all destinations. One port is that, for one socket inside.
    changed: `meta l4proto { tcp, udp } masquerade to :${CHANGED_PORT}; oifname "${outside}" masquerade`,
    random: 'masquerade random',
    'fully-random': 'masquerade fully-random',
  };
  return `table inet lab {
  chain outgoing { type nat hook postrouting priority srcnat; oifname "${outside}" ${rules[ports]}; }
  chain incoming { type filter hook forward priority filter; iifname "${outside}" ct state new drop; }
}
`;
}

function nodeOf(nodes: readonly ScenarioNode[], end: LinkEnd): ScenarioNode {
  return nodes.find(({ name }) => name === end.node) as ScenarioNode;
}
