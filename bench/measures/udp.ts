/**
 * Packets a second that a tunnel carries without loss. A paced sender and a receiver that counts sequence numbers run
 * in threads of this process, their sockets in the namespaces; each datagram is a system call of its own, as with most
 * applications. The highest rate that loses less than `LOSS` is searched by doubling and then by bisection.
 */
import { once } from 'node:events';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { namespacePath } from '../../src/linux/index.ts';
import { ratioAtLeast, type Measure } from '../measure.ts';
import { inTurn, withHosts, withTunnel, type Ends } from '../tunnels.ts';
import { SHARED, type SenderRun, type Sent, type UdpRun } from '../udp-run.ts';

const GOALS = { 64: ratioAtLeast(2), 1200: ratioAtLeast(3) } as const;
const LOSS = 0.001;
const LOWEST_RATE = 4000;
const BISECTIONS = 5;
/** A rate that fails once may have met something else that ran: it gets a second try. */
const TRIES = 2;
/** What is still under way when the last datagram has been sent. */
const DRAIN_MS = 150;
const PORT = 7000;

export const udpMeasures: readonly Measure[] = ([64, 1200] as const).map((bytes) => ({
  name: `udp-${bytes}`,
  description: `UDP, ${bytes} bytes of payload: packets a second with less than ${LOSS * 100} % lost`,
  run: (options) =>
    withHosts({}, async (hosts) => {
      const figure = await inTurn(options, (implementation) =>
        withTunnel(hosts, implementation, async (ends) => {
          await trial(ends, bytes, { packetsPerSecond: 20_000, seconds: 1 }); // Compiles what runs often.
          return { rate: await highestRate(ends, bytes, options.seconds / 2) };
        }),
      );
      return [figure('rate', { name: `udp-${bytes}`, unit: 'packets/s', goal: GOALS[bytes] })];
    }),
}));

async function highestRate(ends: Ends, bytes: number, seconds: number): Promise<number> {
  let best = 0;
  let good = 0;
  let bad = LOWEST_RATE;
  const passes = async (packetsPerSecond: number) => {
    for (let i = 0; i < TRIES; i++) {
      const { sent, received } = await trial(ends, bytes, { packetsPerSecond, seconds });
      // A sender that cannot keep the pace has reached the limit of this machine, which then is the answer.
      if (received < sent.packets * (1 - LOSS)) continue;
      best = Math.max(best, sent.packets / sent.seconds);
      return sent.packets / sent.seconds > packetsPerSecond * 0.9;
    }
    return false;
  };
  while (await passes(bad)) [good, bad] = [bad, 2 * bad];
  if (good === 0) return best;
  for (let i = 0; i < BISECTIONS; i++) {
    const middle = (good + bad) / 2;
    if (await passes(middle)) good = middle;
    else bad = middle;
  }
  return best;
}

async function trial(
  [client, server]: Ends,
  bytes: number,
  pace: Pick<SenderRun, 'packetsPerSecond' | 'seconds'>,
): Promise<{ sent: Sent; received: number }> {
  const shared = new Int32Array(new SharedArrayBuffer(4 * SHARED.end));
  const common = { port: PORT, bytes, shared };
  const receiver = thread('udp-receiver', { ...common, namespace: namespacePath(server.host.name) });
  const receiverEnded = once(receiver, 'exit');
  try {
    await once(receiver, 'message');
    const run: SenderRun = {
      ...common,
      ...pace,
      namespace: namespacePath(client.host.name),
      address: server.address4,
    };
    const sender = thread('udp-sender', run);
    // Both at once: the last message may come in the same turn as the end.
    const [[sent]] = (await Promise.all([once(sender, 'message'), once(sender, 'exit')])) as [[Sent], unknown];
    await new Promise((resolve) => setTimeout(resolve, DRAIN_MS));
    return { sent, received: Atomics.load(shared, SHARED.received) };
  } finally {
    Atomics.store(shared, SHARED.mustStop, 1);
    await receiverEnded;
  }
}

function thread(program: string, run: UdpRun): Worker {
  const script = new URL(`../${program}${extname(import.meta.url)}`, import.meta.url);
  return new Worker(script, { workerData: run });
}
