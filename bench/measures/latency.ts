import { runFlows } from '../flows.ts';
import { ratioAtMost, type Measure } from '../measure.ts';
import { roundTrips } from '../round-trips.ts';
import { quantile } from '../statistics.ts';
import { inTurn, withHosts, withTunnel } from '../tunnels.ts';

/** iperf3 is up and has left slow start behind after as long, and goes on for as long after the last ping. */
const MARGIN = 2;

export const latency: Measure = {
  name: 'latency',
  description: 'round trips of pings 1 ms apart: p50 and p99, idle and while one TCP flow fills the tunnel',
  run: (options) =>
    withHosts({}, async (hosts) => {
      const { seconds } = options;
      const figure = await inTurn(options, (implementation) =>
        withTunnel(hosts, implementation, async ([client, server]) => {
          await roundTrips(client.host, server.address4, 1); // Compiles what runs often.
          const idle = await roundTrips(client.host, server.address4, seconds);
          const load = runFlows(client.host, server.host, server.address4, {
            seconds: seconds + MARGIN,
            warmUp: MARGIN,
          });
          await new Promise((resolve) => setTimeout(resolve, MARGIN * 1000));
          const loaded = await roundTrips(client.host, server.address4, seconds);
          await load;
          return {
            idleMedian: quantile(idle, 0.5),
            idleTail: quantile(idle, 0.99),
            loadedMedian: quantile(loaded, 0.5),
            loadedTail: quantile(loaded, 0.99),
          };
        }),
      );
      const unit = 'ms';
      return [
        figure('idleMedian', { name: 'latency-idle-p50', unit, goal: ratioAtMost(1) }),
        figure('idleTail', { name: 'latency-idle-p99', unit, goal: ratioAtMost(1) }),
        figure('loadedMedian', { name: 'latency-load-p50', unit, goal: ratioAtMost(0.5) }),
        figure('loadedTail', { name: 'latency-load-p99', unit, goal: ratioAtMost(0.5) }),
      ];
    }),
};
