/** `node dist/bench/plot.js > docs/performance.svg`: draws bench/results/latest.json. */
import { readFileSync } from 'node:fs';
import type { Judged } from './measure.ts';
import type { Report } from './table.ts';

const PANEL = { width: 360, height: 220, left: 50, top: 60, gap: 90 };
/** Two labels of an axis need so much between their middles. */
const LABEL_WIDTH = 36;
const COLOURS = { ours: '#1b6ca8', peer: '#c2571a' };

interface Series {
  readonly name: string;
  readonly colour: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

const latest = new URL('../../bench/results/latest.json', import.meta.url);
const { figures, machine } = JSON.parse(readFileSync(latest, 'utf8')) as Report;

function figuresOf(prefix: string): Judged[] {
  return figures.filter(({ name, at }) => name.startsWith(prefix) && at !== undefined);
}

function series(prefix: string, name: string, colour: string, value: (figure: Judged) => number): Series {
  return { name, colour, points: figuresOf(prefix).map((figure) => [figure.at ?? 0, value(figure)] as const) };
}

/** One panel: a logarithmic horizontal axis, a linear vertical one from 0. */
function panel(left: number, title: string, lines: readonly Series[]): string {
  const { width, height, top } = PANEL;
  const all = lines.flatMap(({ points }) => points);
  const xs = [...new Set(all.map(([x]) => x))];
  const [first, last] = [Math.log(Math.min(...xs)), Math.log(Math.max(...xs))];
  const highest = Math.ceil(Math.max(...all.map(([, y]) => y)));
  const x = (value: number) => left + ((Math.log(value) - first) / (last - first)) * width;
  const y = (value: number) => Number((top + height - (value / highest) * height).toFixed(1));
  const step = Math.max(1, Math.round(highest / 5));
  const parts = [text(left + width / 2, top - 38, title, 'middle')];
  for (let value = 0; value <= highest; value += step) {
    parts.push(`<path d="M${left} ${y(value)}h${width}" stroke="#ddd"/>`, text(left - 8, y(value) + 4, value, 'end'));
  }
  let labelledTo = -Infinity;
  for (const value of xs.toSorted((a, b) => a - b)) {
    if (x(value) < labelledTo + LABEL_WIDTH) continue;
    labelledTo = x(value);
    parts.push(text(labelledTo, top + height + 18, value, 'middle'));
  }
  lines.forEach(({ name, colour, points }, i) => {
    const path = points.map(([px, py]) => `${x(px).toFixed(1)},${y(py).toFixed(1)}`);
    parts.push(`<polyline points="${path.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`);
    for (const [px, py] of points) {
      parts.push(`<circle cx="${x(px).toFixed(1)}" cy="${y(py).toFixed(1)}" r="3" fill="${colour}"/>`);
    }
    parts.push(text(left + (i * width) / lines.length, top - 16, `● ${name}`, 'start', colour));
  });
  return parts.join('\n');
}

// Position, contents and looks of one word.
// eslint-disable-next-line max-params
function text(x: number, y: number, words: string | number, anchor: string, colour = '#333'): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" fill="${colour}">${words}</text>`;
}

const { width, height, left, top, gap } = PANEL;
const peerName = `wireguard-go ${machine.wireguardGo}`;
const bySize = [
  series('packet-size-', 'wireguard-ts', COLOURS.ours, (figure) => figure.median),
  series('packet-size-', peerName, COLOURS.peer, (figure) => figure.peerMedian ?? 0),
];
const byPeers = [series('peers-', 'wireguard-ts', COLOURS.ours, (figure) => figure.median)];
const whole = { width: 2 * width + left + gap + 40, height: height + top + 40 };
process.stdout.write(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${whole.width} ${whole.height}"
  font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
${panel(left, 'TCP, one flow, Gbit/s, by inner MTU in bytes', bySize)}
${panel(left + width + gap, 'TCP in all, Gbit/s, by peers of a hub', byPeers)}
</svg>
`);
