import { flood, joinToHub, narrow } from '../../test/interop/stuck-star.ts';
import { ping } from '../../test/interop/traffic.ts';
import { setPeer, startEnd, tearDown, type TunnelEnd } from '../../test/interop/tunnel.ts';
import { atMost, type Measure } from '../measure.ts';
import { roundTrips } from '../round-trips.ts';
import { quantile } from '../statistics.ts';
import { inTurn, withHostsOf } from '../tunnels.ts';

/** The queue is full and the sockets are in trouble after as long, and the flood goes on for as long after the last ping. */
const MARGIN = 2;

export const stuckLink: Measure = {
  name: 'stuck-link',
  description: 'pings to one peer, while 100 Mbit/s of UDP go to another behind a link of 1 Mbit/s: p99, and lost ones',
  run: (options) =>
    withHostsOf(['hub', 'stuck', 'free'], async (hosts) => {
      const { seconds } = options;
      const [hubHost, ...otherHosts] = hosts;
      for (const [place, other] of otherHosts.entries()) await joinToHub(hubHost, other, place + 1);
      const figure = await inTurn(options, async (implementation) => {
        const ends: TunnelEnd[] = [];
        try {
          for (const [place, host] of hosts.entries())
            ends.push(await startEnd(host, { implementation, index: place + 1 }));
          const [hub, stuck, free] = ends;
          for (const [place, other] of [stuck, free].entries()) {
            await setPeer(hub, other, { endpoint: `10.0.${place + 1}.2:${51_822 + place}` });
            await setPeer(other, hub, { endpoint: `10.0.${place + 1}.1:51821` });
            await ping(hub.host, other.address4, { count: 1 });
          }
          await narrow(hubHost);
          const flooded = flood(hubHost, stuck.address4, 100, seconds + 2 * MARGIN);
          await new Promise((resolve) => setTimeout(resolve, MARGIN * 1000));
          const trips = await roundTrips(hubHost, free.address4, seconds);
          await flooded;
          const lost = trips.filter((trip) => trip === Infinity).length / trips.length;
          return { tail: quantile(trips, 0.99), lost: 100 * lost };
        } finally {
          await hubHost.attempt(['tc', 'qdisc', 'del', 'dev', 'eth1', 'root']);
          await tearDown([], ends);
        }
      });
      return [
        figure('tail', { name: 'stuck-link-p99', unit: 'ms', goal: atMost(5) }),
        figure('lost', { name: 'stuck-link-lost', unit: '%', goal: atMost(0) }),
      ];
    }),
};
