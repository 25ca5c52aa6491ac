import { runFlows } from '../flows.ts';
import { atMost, type Figure, type Measure } from '../measure.ts';
import { residentBytes } from '../process.ts';
import { median } from '../statistics.ts';
import { withHosts, withTunnel, type Ends } from '../tunnels.ts';

const MEBIBYTE = 2 ** 20;
/** With 5 seconds a measurement, the default, this is the minute that the goal speaks of. */
const LENGTH = 12;
/** What a growing heap gains between the second and the last quarter is more. */
const FLAT = 1.05;

export const memory: Measure = {
  name: 'memory',
  description: `resident memory of the larger daemon over ${LENGTH} times --seconds of one TCP flow`,
  run: ({ seconds, onRound }) =>
    withHosts({}, async (hosts) => {
      const ours = await withTunnel(hosts, 'wireguard-ts', (ends) => sample(ends, seconds * LENGTH));
      onRound(`wireguard-ts, MiB: ${ours.map(Math.round).join(' ')}`);
      const theirs = await withTunnel(hosts, 'wireguard-go', (ends) => sample(ends, seconds));
      const quarter = ours.length >> 2;
      const growth = median(ours.slice(-quarter)) / median(ours.slice(quarter, 2 * quarter));
      const largest: Figure = {
        name: 'memory-largest',
        unit: 'MiB',
        ours: [Math.max(...ours)],
        peer: { name: 'wireguard-go', values: [Math.max(...theirs)] },
        goal: atMost(120),
      };
      return [largest, { name: 'memory-growth', unit: 'times', ours: [growth], goal: atMost(FLAT) }];
    }),
};

/** @returns mebibytes, about each second while a flow runs */
async function sample(ends: Ends, seconds: number): Promise<number[]> {
  const samples: number[] = [];
  const timer = setInterval(() => samples.push(Math.max(...ends.map(residentBytes)) / MEBIBYTE), 1000);
  try {
    await runFlows(ends[0].host, ends[1].host, ends[1].address4, { seconds });
  } finally {
    clearInterval(timer);
  }
  return samples;
}
