/** A scenario as SVG: nodes, links with what they do to packets and, of a lab that is up, what lives on them. Pure. */
import type { Scenario, ScenarioLink } from '../scenario/scenario.ts';
import { formatDuration, formatRate } from '../scenario/units.ts';
import { layOut, type Point } from './layout.ts';

/** How a lab is that is up. */
export interface LiveState {
  readonly cutLinks: ReadonlySet<string>;
  readonly nodes: ReadonlyMap<string, LiveNode>;
}

export interface LiveNode {
  readonly isRunning: boolean;
  /** Names of the nodes to which it has a tunnel that works, where it can tell. */
  readonly tunnels: readonly string[];
  /** As the kernel prints them; those that a routing daemon put there. */
  readonly routes: readonly string[];
}

const SCALE = 150;
const MARGIN = 90;
const NODE_RADIUS = 26;
const HUB_RADIUS = 5;

const STYLE = `
  text { font: 12px sans-serif; text-anchor: middle; fill: #222; }
  .small { font-size: 10px; fill: #555; paint-order: stroke; stroke: #fff; stroke-width: 3px; }
  .title { font-size: 15px; text-anchor: start; }
  .node { fill: #dbeafe; stroke: #1d4ed8; stroke-width: 1.5; }
  .babeld { fill: #dcfce7; stroke: #15803d; }
  .none { fill: #f3f4f6; stroke: #6b7280; }
  .dead { fill: #fee2e2; stroke: #b91c1c; stroke-dasharray: 4 3; }
  .link { stroke: #374151; stroke-width: 2; }
  .cut { stroke: #b91c1c; stroke-dasharray: 3 6; }
  .tunnel { stroke: #2563eb; stroke-width: 1; fill: none; opacity: 0.6; }
`;

export function drawScenario(scenario: Scenario, live?: LiveState): string {
  const { nodes, links } = scenario;
  const indexOf = new Map(nodes.map(({ name }, i) => [name, i]));
  // A link of many ends is a point of its own, in their middle.
  const hubs = links.filter(({ ends }) => ends.length > 2);
  const hubIndex = (link: ScenarioLink) => nodes.length + hubs.indexOf(link);
  const spokes = (link: ScenarioLink): [number, number][] => {
    const ends = link.ends.map(({ node }) => indexOf.get(node) as number);
    return ends.length === 2 ? [[ends[0], ends[1]]] : ends.map((end) => [end, hubIndex(link)]);
  };
  const points = onPaper(layOut(nodes.length + hubs.length, links.flatMap(spokes)));
  const isCut = (link: ScenarioLink) => live?.cutLinks.has(link.name) ?? false;
  const drawnLinks = links.map((link) => {
    const middle = link.ends.length === 2 ? between(...pointsOf(points, spokes(link)[0])) : points[hubIndex(link)];
    return drawLink(link, spokes(link).map((spoke) => pointsOf(points, spoke)), middle, isCut(link)); // prettier-ignore
  });
  const tunnels = nodes.flatMap(({ name }, i) =>
    (live?.nodes.get(name)?.tunnels ?? [])
      .filter((other) => (indexOf.get(other) ?? -1) > i)
      .map((other) => drawTunnel(points[i], points[indexOf.get(other) as number])),
  );
  const width = Math.max(...points.map(({ x }) => x)) + MARGIN;
  const height = Math.max(...points.map(({ y }) => y)) + MARGIN;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${round(width)} ${round(height)}">`,
    `<style>${STYLE}</style>`,
    `<text class="title" x="16" y="26">${escaped(scenario.title)}</text>`,
    ...drawnLinks,
    ...tunnels,
    ...nodes.map((node, i) => drawNode(node, points[i], live === undefined ? undefined : live.nodes.get(node.name))),
    '</svg>',
    '',
  ].join('\n');
}

function onPaper(points: readonly Point[]): Point[] {
  const left = Math.min(...points.map(({ x }) => x));
  const top = Math.min(...points.map(({ y }) => y));
  return points.map(({ x, y }) => ({ x: (x - left) * SCALE + MARGIN, y: (y - top) * SCALE + MARGIN }));
}

function pointsOf(points: readonly Point[], [a, b]: readonly [number, number]): [Point, Point] {
  return [points[a], points[b]];
}

function between(a: Point, b: Point): Point {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}

function drawLink(link: ScenarioLink, spokes: readonly [Point, Point][], middle: Point, isCut: boolean): string {
  const lines = spokes.map(
    ([a, b]) => `<line class="link${isCut ? ' cut' : ''}" x1="${round(a.x)}" y1="${round(a.y)}" x2="${round(b.x)}" y2="${round(b.y)}"/>`, // prettier-ignore
  );
  const hub = spokes.length > 1 ? [`<circle cx="${round(middle.x)}" cy="${round(middle.y)}" r="${HUB_RADIUS}"/>`] : [];
  const label = [describeLink(link), isCut ? 'cut' : ''].filter((part) => part !== '').join(', ');
  const title = `<title>${escaped(link.name)}</title>`;
  const text = `<text class="small" x="${round(middle.x)}" y="${round(middle.y - 8)}">${escaped(label)}</text>`;
  return `<g>${title}${lines.join('')}${hub.join('')}${label === '' ? '' : text}</g>`;
}

/** What the link does to what it carries. */
function describeLink({ emulated }: ScenarioLink): string {
  if (emulated === undefined) return '';
  const { delay, jitter, loss, rate } = emulated;
  const parts = [
    delay > 0 ? `${formatDuration(delay)}${jitter > 0 ? ` ± ${formatDuration(jitter)}` : ''}` : '',
    loss > 0 ? `${+(loss * 100).toFixed(2)} % loss` : '',
    rate === undefined ? '' : formatRate(rate),
  ];
  return parts.filter((part) => part !== '').join(', ');
}

/** Bent, so that it is seen beside the link. */
function drawTunnel(a: Point, b: Point): string {
  const { x, y } = between(a, b);
  const bend = { x: x + (b.y - a.y) * 0.15, y: y - (b.x - a.x) * 0.15 };
  return `<path class="tunnel" d="M ${round(a.x)} ${round(a.y)} Q ${round(bend.x)} ${round(bend.y)} ${round(b.x)} ${round(b.y)}"/>`; // prettier-ignore
}

function drawNode({ name, kind, nat }: Scenario['nodes'][number], { x, y }: Point, live: LiveNode | undefined): string {
  const isDead = live !== undefined && !live.isRunning && kind !== 'none';
  const kindClass = { wiremesh: '', 'wireguard-go+babeld': ' babeld', none: ' none' }[kind];
  const below = isDead ? 'no daemon' : nat !== undefined ? `NAT, ports ${nat.ports}` : describeLife(live);
  const routes = live === undefined || live.routes.length === 0 ? '' : `\n${live.routes.join('\n')}`;
  return [
    `<g><title>${escaped(`${name}: ${kind}${routes}`)}</title>`,
    `<circle class="node${isDead ? ' dead' : kindClass}" cx="${round(x)}" cy="${round(y)}" r="${NODE_RADIUS}"/>`,
    `<text x="${round(x)}" y="${round(y + 4)}">${escaped(name)}</text>`,
    `<text class="small" x="${round(x)}" y="${round(y + NODE_RADIUS + 13)}">${escaped(below)}</text></g>`,
  ].join('');
}

function describeLife(live: LiveNode | undefined): string {
  if (live === undefined) return '';
  const tunnels = live.tunnels.length > 0 ? [`tunnels: ${live.tunnels.length}`] : [];
  const routes = live.routes.length > 0 ? [`routes: ${live.routes.length}`] : [];
  return [...tunnels, ...routes].join(', ');
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}
