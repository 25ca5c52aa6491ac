/** A scenario with every choice made: shapes drawn out, names given to interfaces, references checked. Pure. */

import type { KeyPath as Path } from '../../src/api/index.ts';
import { linksOf } from '../topology.ts';
import type {
  Expectation,
  LinkDocument,
  Load,
  NodeDocument,
  NodeKind,
  ScenarioDocument,
  ScenarioEvent,
} from './schema.ts';

export interface Scenario {
  readonly title: string;
  readonly seed: number;
  /** In milliseconds, as all times here; the run may take longer, until everything expected is decided. */
  readonly duration: number;
  readonly nodes: readonly ScenarioNode[];
  readonly links: readonly ScenarioLink[];
  readonly babeld: ScenarioDocument['babeld'];
  readonly events: readonly ScenarioEvent[];
  readonly loads: readonly Load[];
  readonly expectations: readonly Expectation[];
}

export interface ScenarioNode extends Omit<NodeDocument, 'kind' | 'forward'> {
  /** From 1; addresses that the lab gives end in it. */
  readonly number: number;
  readonly kind: NodeKind;
  readonly forward: boolean;
}

export interface LinkEnd {
  readonly node: string;
  readonly interface: string;
  /** With their prefix lengths, beside the link-local one. */
  readonly addresses: readonly string[];
}

/** What a link does to what it carries. Times in milliseconds, loss as a part of 1, rate in bits a second. */
export interface Impairments {
  readonly delay: number;
  readonly jitter: number;
  readonly loss: number;
  readonly rate: number | undefined;
}

export interface ScenarioLink {
  readonly name: string;
  readonly ends: readonly LinkEnd[];
  readonly mtu: number;
  /** `undefined` where the kernel alone makes the link. */
  readonly emulated: Impairments | undefined;
}

/** Something in the document refers to nothing, or contradicts something else; the message completes "KEY …". */
export class ScenarioMistake extends Error {
  readonly path: Path;
  constructor(path: Path, message: string) {
    super(message);
    this.path = path;
  }
}

const MAX_NODES = 250;

/** `instead` takes the place of the kind "wiremesh". @throws ScenarioMistake */
export function scenarioOf(document: ScenarioDocument, instead: NodeKind = 'wiremesh'): Scenario {
  const drawn = drawTopology(document);
  const nodeDocuments = [...drawn.nodes, ...document.node];
  if (nodeDocuments.length === 0) throw new ScenarioMistake(['node'], 'is missing: name some, or give a [topology]');
  if (nodeDocuments.length > MAX_NODES) throw new ScenarioMistake(['node'], `must not be more than ${MAX_NODES}`);
  const nodes = nodeDocuments.map((node, i) => completeNode(node, i + 1, instead));
  requireUnique(
    nodes.map(({ name }) => name),
    (i) => ['node', i - drawn.nodes.length, 'name'],
  );
  const links = completeLinks(document, drawn.links, new Set(nodes.map(({ name }) => name)));
  const scenario: Scenario = {
    ...{ title: document.title, seed: document.seed, duration: document.duration, babeld: document.babeld },
    ...{ nodes, links, events: document.event, loads: document.load, expectations: document.expect },
  };
  checkNodes(scenario, drawn.nodes.length);
  checkTimeline(scenario);
  checkExpectations(scenario);
  return scenario;
}

function completeNode(node: NodeDocument, number: number, instead: NodeKind): ScenarioNode {
  const asked = node.kind ?? 'wiremesh';
  const kind = asked === 'wiremesh' ? instead : asked;
  // A router by its nature: NAT forwards, and babeld's routes lead through the kernel.
  const forward = node.forward ?? (node.nat !== undefined || kind === 'wireguard-go+babeld');
  return { ...node, number, kind, forward };
}

/** The nodes `n1`, `n2`, … and the links of `[topology]`. */
function drawTopology({ topology }: ScenarioDocument): { nodes: NodeDocument[]; links: LinkDocument[] } {
  if (topology === undefined) return { nodes: [], links: [] };
  const { shape, nodes: count, width, height, kind, ...linkSettings } = topology;
  if (shape === 'grid' && (width === undefined || height === undefined)) {
    throw new ScenarioMistake(['topology'], 'of shape "grid" needs width and height');
  }
  if (shape !== 'grid' && count === undefined) {
    throw new ScenarioMistake(['topology'], `of shape "${shape}" needs nodes, the number of them`);
  }
  const total = shape === 'grid' ? (width as number) * (height as number) : (count as number);
  const pairs = shape === 'grid' ? gridLinks(width as number, height as number) : linksOf(shape, total);
  const names = Array.from({ length: total }, (_, i) => `n${i + 1}`);
  return {
    nodes: names.map((name) => ({
      name,
      kind,
      routes: [],
      network: [],
      config: {},
      forward: undefined,
      nat: undefined,
    })),
    links: pairs.map(([a, b]) => ({ between: [`n${a}`, `n${b}`], addresses: {}, name: undefined, ...linkSettings })),
  };
}

/** Row by row from the top left. */
function gridLinks(width: number, height: number): [number, number][] {
  const links: [number, number][] = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const node = y * width + x + 1;
      if (x + 1 < width) links.push([node, node + 1]);
      if (y + 1 < height) links.push([node, node + width]);
    }
  }
  return links;
}

function completeLinks(document: ScenarioDocument, drawn: readonly LinkDocument[], nodes: ReadonlySet<string>) {
  const all = [...drawn, ...document.link];
  const pathOf = (i: number, ...rest: Path): Path =>
    i < drawn.length ? ['topology'] : ['link', i - drawn.length, ...rest];
  const links = all.map((link, i): ScenarioLink => {
    for (const [j, node] of link.between.entries()) requireKnown(node, nodes, pathOf(i, 'between', j));
    if (new Set(link.between).size < link.between.length) {
      throw new ScenarioMistake(pathOf(i, 'between'), 'must name each node once');
    }
    for (const node of Object.keys(link.addresses)) {
      if (!link.between.includes(node)) throw new ScenarioMistake(pathOf(i, 'addresses', node), 'is not on this link');
    }
    if (link.between.length > 2 && link.name === undefined) {
      throw new ScenarioMistake(pathOf(i), 'needs a name: it has more than two ends');
    }
    const { delay = 0, jitter = 0, loss = 0, rate } = link;
    if (jitter > delay) throw new ScenarioMistake(pathOf(i, 'jitter'), 'must not be longer than the delay');
    const isImpaired = delay > 0 || loss > 0 || rate !== undefined;
    return {
      name: link.name ?? link.between.join('-'),
      ends: link.between.map((node) => completeEnd(node, link)),
      mtu: link.mtu ?? 1500,
      emulated: isImpaired ? { delay, jitter, loss, rate } : undefined,
    };
  });
  requireUnique(
    links.map(({ name }) => name),
    (i) => pathOf(i, 'name'),
  );
  for (const [i, link] of links.entries()) {
    for (const end of link.ends) {
      const twice = links.some((other, j) => j < i && other.ends.some((o) => o.node === end.node && o.interface === end.interface)); // prettier-ignore
      if (twice)
        throw new ScenarioMistake(pathOf(i), `is the second from ${end.node} to the same node: give it a name`);
    }
  }
  return emulateWhereMoved(links, document.event);
}

/** An interface is called for where it leads; where that is not enough to tell it by, for its link. */
function completeEnd(node: string, { name, between, addresses }: LinkDocument): LinkEnd {
  const other = between.find((candidate) => candidate !== node);
  return { node, interface: name ?? `to-${other}`, addresses: addresses[node] ?? [] };
}

/** An interface is of one kind for its life, so a node moves between links of one kind only. */
function emulateWhereMoved(links: readonly ScenarioLink[], events: readonly ScenarioEvent[]): ScenarioLink[] {
  const moves = events.filter((event) => event.do === 'move');
  const emulated = new Set(links.filter((link) => link.emulated !== undefined).map(({ name }) => name));
  for (let before = -1; before < emulated.size;) {
    before = emulated.size;
    for (const { from, to } of moves) if (emulated.has(from) || emulated.has(to)) emulated.add(from).add(to);
  }
  const unimpaired: Impairments = { delay: 0, jitter: 0, loss: 0, rate: undefined };
  return links.map((link) => (emulated.has(link.name) ? { ...link, emulated: link.emulated ?? unimpaired } : link));
}

function checkNodes({ nodes, links }: Scenario, drawn: number): void {
  for (const [i, { name, nat, network, kind }] of nodes.entries()) {
    const path: Path = i < drawn ? ['topology'] : ['node', i - drawn];
    const own = new Set(links.filter(({ ends }) => ends.some(({ node }) => node === name)).map((link) => link.name));
    if (nat !== undefined) requireKnown(nat.outside, own, [...path, 'nat', 'outside']);
    if (kind === 'none' && network.length > 0) {
      throw new ScenarioMistake([...path, 'network'], 'is offered to a mesh, which a node of kind "none" is not in');
    }
  }
}

function checkTimeline({ nodes, links, events, loads }: Scenario): void {
  const nodeNames = new Set(nodes.map(({ name }) => name));
  const linkNames = new Set(links.map(({ name }) => name));
  const places = new Map(links.map(({ name, ends }) => [name, new Set(ends.map(({ node }) => node))]));
  for (const [i, event] of events.entries()) {
    if ('node' in event) requireKnown(event.node, nodeNames, ['event', i, 'node']);
    if ('link' in event) requireKnown(event.link, linkNames, ['event', i, 'link']);
    if (event.do === 'kill' || event.do === 'restart') {
      const isDaemon = nodes.some(({ name, kind }) => name === event.node && kind !== 'none');
      if (!isDaemon) throw new ScenarioMistake(['event', i, 'node'], 'runs no daemon');
    } else if (event.do === 'move') {
      requireKnown(event.from, linkNames, ['event', i, 'from']);
      requireKnown(event.to, linkNames, ['event', i, 'to']);
      const wasThere = places.get(event.from)?.delete(event.node);
      if (!wasThere)
        throw new ScenarioMistake(['event', i, 'from'], `is no link that ${event.node} is on at that time`);
      places.get(event.to)?.add(event.node);
    } else if (event.do === 'readdress' && !places.get(event.link)?.has(event.node)) {
      throw new ScenarioMistake(['event', i, 'link'], `is no link that ${event.node} is on at that time`);
    }
    if (i > 0 && event.at < events[i - 1].at) throw new ScenarioMistake(['event', i, 'at'], 'is before the last one');
  }
  requireUnique(
    events.map(({ name }) => name),
    (i) => ['event', i, 'name'],
  );
  requireUnique(
    loads.map(({ name }) => name),
    (i) => ['load', i, 'name'],
  );
  for (const [i, load] of loads.entries()) {
    requireKnown(load.from, nodeNames, ['load', i, 'from']);
    if (!isAddress(load.to)) requireKnown(load.to, nodeNames, ['load', i, 'to']);
  }
}

function checkExpectations({ nodes, links, events, loads, expectations }: Scenario): void {
  const nodeNames = new Set(nodes.map(({ name }) => name));
  const eventNames = new Set(events.flatMap(({ name }) => name ?? []));
  for (const [i, expectation] of expectations.entries()) {
    const path: Path = ['expect', i];
    if ('after' in expectation && expectation.after !== undefined) {
      requireKnown(expectation.after, eventNames, [...path, 'after']);
    }
    switch (expectation.what) {
      case 'reachable':
      case 'unreachable':
        if (expectation.from !== 'all') requireKnown(expectation.from, nodeNames, [...path, 'from']);
        if (expectation.to !== 'all' && !isAddress(expectation.to)) {
          requireKnown(expectation.to, nodeNames, [...path, 'to']);
        }
        break;
      case 'path':
        requireKnown(expectation.from, nodeNames, [...path, 'from']);
        if (!isAddress(expectation.to)) requireKnown(expectation.to, nodeNames, [...path, 'to']);
        for (const [j, via] of expectation.via.entries()) requireKnown(via, nodeNames, [...path, 'via', j]);
        break;
      case 'outage':
      case 'in-order':
      case 'survives': {
        const isOfPings = expectation.what !== 'survives';
        const known = new Set(loads.filter(({ kind }) => (kind === 'ping') === isOfPings).map(({ name }) => name));
        requireKnown(expectation.load, known, [...path, 'load']);
        break;
      }
      case 'control-traffic':
      case 'cpu':
        if (expectation.to <= expectation.from) throw new ScenarioMistake([...path, 'to'], 'must be after "from"');
        break;
      case 'no-loops':
        if (links.length === 0) throw new ScenarioMistake(path, 'needs links to look at');
    }
  }
}

export function isAddress(text: string): boolean {
  return text.includes('.') || text.includes(':');
}

/** An address of `end` without its prefix length, the first of those given. */
export function firstAddress(end: LinkEnd): string | undefined {
  return end.addresses[0]?.split('/')[0];
}

function requireKnown(name: string, known: ReadonlySet<string>, path: Path): void {
  if (known.has(name)) return;
  const names = known.size === 0 ? 'there is none' : `there are ${[...known].slice(0, 20).join(', ')}`;
  throw new ScenarioMistake(path, `is "${name}", which nothing here is called: ${names}`);
}

function requireUnique(names: readonly (string | undefined)[], path: (index: number) => Path): void {
  const second = names.findIndex((name, i) => name !== undefined && names.indexOf(name) < i);
  if (second >= 0) throw new ScenarioMistake(path(second), `is "${names[second]}", a name that is taken`);
}
