/** TCP through a tunnel between two namespaces, both ends and iperf3 on the same cores. */
import { runFlows, type FlowOptions } from '../flows.ts';
import { ratioAtLeast, type Figure, type Goal, type Measure } from '../measure.ts';
import { inTurn, withHosts, withTunnel } from '../tunnels.ts';

interface TcpVariant {
  readonly goal: Goal;
  readonly inner?: 4 | 6;
  readonly mtu?: number;
  readonly flows?: Omit<FlowOptions, 'seconds'>;
}

/** What WireGuard puts around a packet when the outer one is IPv6, and 20 to spare. */
const OVERHEAD = 100;

const VARIANTS: Record<string, TcpVariant> = {
  'tcp-one-flow': { goal: ratioAtLeast(8) },
  'tcp-four-flows-both-ways': { goal: ratioAtLeast(6), flows: { parallel: 4, bothWays: true } },
  'tcp-ipv6-inside': { goal: ratioAtLeast(6), inner: 6 },
  'tcp-mtu-9000': { goal: ratioAtLeast(6), mtu: 9000 },
};

export const tcpMeasures: readonly Measure[] = Object.entries(VARIANTS).map(([name, variant]) => ({
  name,
  description: `TCP by iperf3, ${name.slice('tcp-'.length).replaceAll('-', ' ')}`,
  run: (options) => compareTcp(name, variant, options),
}));

/** The inner MTU decides the size of the packets; below 576 nothing on the internet is. */
const PACKET_SIZES = [576, 1280, 1420, 2800, 5600, 9000];

export const packetSizes: Measure = {
  name: 'packet-sizes',
  description: `TCP, one flow, at inner MTUs of ${PACKET_SIZES.join(', ')} (for the plot)`,
  async run(options) {
    const figures: Figure[] = [];
    for (const mtu of PACKET_SIZES) {
      const [figure] = await compareTcp(`packet-size-${mtu}`, { mtu }, options);
      figures.push({ ...figure, at: mtu });
    }
    return figures;
  },
};

export async function compareTcp(
  name: string,
  { goal, inner = 4, mtu = 1420, flows = {} }: Partial<TcpVariant>,
  options: Parameters<Measure['run']>[0],
): Promise<Figure[]> {
  return withHosts({ mtu: Math.max(1500, mtu + OVERHEAD) }, async (hosts) => {
    const once = (implementation: 'wireguard-ts' | 'wireguard-go') =>
      withTunnel(
        hosts,
        implementation,
        async ([client, server]) => {
          const address = inner === 4 ? server.address4 : server.address6;
          const { bitsPerSecond } = await runFlows(client.host, server.host, address, { ...flows, ...options });
          return { bitsPerSecond };
        },
        { mtu },
      );
    const figure = await inTurn(options, once);
    return [figure('bitsPerSecond', { name, unit: 'Gbit/s', scale: 1e9, ...(goal && { goal }) })];
  });
}
