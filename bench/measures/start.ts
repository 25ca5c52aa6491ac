import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { end, withFile, type Host } from '../../test/interop/hosts.ts';
import {
  generateKey,
  nextInterfaceName,
  publicKeyOf,
  setPeer,
  startEnd,
  closeEnd,
  type Implementation,
  type TunnelEnd,
  WIREGUARD_TS,
} from '../../test/interop/tunnel.ts';
import { atMost, type Measure } from '../measure.ts';
import { inTurn, withHosts, type Hosts } from '../tunnels.ts';

const MTU = 1420;
const LONGEST_START = 10_000;
const PREFIX = '10.77.0';
const COMMANDS: Record<Implementation, readonly string[]> = {
  'wireguard-ts': [process.execPath, WIREGUARD_TS, '-f'],
  'wireguard-go': ['wireguard-go', '-f'],
};

export const start: Measure = {
  name: 'start',
  description: 'from the start of the process to the first answered ping; the other end is up, keys are known',
  run: (options) =>
    withHosts({}, async (hosts) => {
      const figure = await inTurn(options, async (implementation) => ({ start: await measure(hosts, implementation) }));
      return [figure('start', { unit: 'ms', goal: atMost(400) })];
    }),
};

async function measure([host, otherHost]: Hosts, implementation: Implementation): Promise<number> {
  const other = await startEnd(otherHost, { implementation, index: 2 });
  try {
    const privateKey = generateKey();
    const own = { publicKey: publicKeyOf(privateKey), address4: `${PREFIX}.1`, address6: 'fd00:77::1' };
    await setPeer(other, own);
    return await timeToFirstPing(host, implementation, privateKey, other);
  } finally {
    await closeEnd(other);
  }
}

async function timeToFirstPing(
  host: Host,
  implementation: Implementation,
  privateKey: string,
  other: TunnelEnd,
): Promise<number> {
  const name = nextInterfaceName();
  const lines = [`address add ${PREFIX}.1/24 dev ${name}`, `link set ${name} mtu ${MTU} up`, ''];
  return withFile(lines.join('\n'), async (batch) => {
    const startedAt = performance.now();
    const child = host.start([...COMMANDS[implementation], name], { LOG_LEVEL: 'error' });
    try {
      await configure(name, privateKey, other);
      await host.ip('-batch', batch);
      await host.run(['ping', '-n', '-c', '1', '-W', '10', other.address4]);
      return performance.now() - startedAt;
    } finally {
      await end(child);
    }
  });
}

/** By UAPI itself, as soon as its socket answers: `wg` would be one more process to start. */
async function configure(name: string, privateKey: string, other: TunnelEnd): Promise<void> {
  const uapi = await connected(`/var/run/wireguard/${name}.sock`);
  const lines = [
    'set=1',
    `private_key=${hex(privateKey)}`,
    `public_key=${hex(other.publicKey)}`,
    `endpoint=${other.endpoint4}`,
    `allowed_ip=${other.address4}/32`,
  ];
  uapi.write(`${lines.join('\n')}\n\n`);
  const [answer] = (await once(uapi, 'data')) as [Buffer];
  uapi.destroy();
  if (!answer.toString().includes('errno=0')) throw new Error(`${name} answered ${answer.toString()}`);
}

async function connected(path: string): Promise<Socket> {
  const deadline = performance.now() + LONGEST_START;
  for (;;) {
    const socket = connect(path);
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

function hex(base64: string): string {
  return Buffer.from(base64, 'base64').toString('hex');
}
