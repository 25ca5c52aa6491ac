import { runFlows } from '../flows.ts';
import { ratioAtMost, type Measure } from '../measure.ts';
import { cpuSeconds } from '../process.ts';
import { inTurn, withHosts, withTunnel } from '../tunnels.ts';

export const cpuPerGigabit: Measure = {
  name: 'cpu-per-gigabit',
  description: 'CPU time of both daemons, user and system, by what one TCP flow carries',
  run: (options) =>
    withHosts({}, async (hosts) => {
      const figure = await inTurn(options, (implementation) =>
        withTunnel(hosts, implementation, async (ends) => {
          const [client, server] = ends;
          const before = ends.map(cpuSeconds);
          // No warm-up: the kernel counts from the first byte.
          const flow = { seconds: options.seconds, warmUp: 0 };
          const { bytes } = await runFlows(client.host, server.host, server.address4, flow);
          const used = ends.reduce((sum, tunnelEnd, i) => sum + cpuSeconds(tunnelEnd) - before[i], 0);
          return { cpuPerGigabit: used / ((8 * bytes) / 1e9) };
        }),
      );
      return [figure('cpuPerGigabit', { name: 'cpu-per-gigabit', unit: 's/Gbit', goal: ratioAtMost(0.25) })];
    }),
};
