/**
 * Handshakes that a responder answers in a second, with initiations that were prepared beforehand: once as the pure
 * machine, confirmation included, and once over UDP, the responder bound to one core, ours and wireguard-go in turn.
 * Every initiator has an address of its own, so no rate limit of either side is met; the cookies that ours asks for
 * are got before the time is taken, and the responder is warm by then: it has answered every initiator before.
 */
import { setTimeout } from 'node:timers/promises';
import { end, withFile, type Host } from '../../test/interop/hosts.ts';
import { shown, startEnd, type Implementation, type TunnelEnd } from '../../test/interop/tunnel.ts';
import { parseEndpoint } from '../../src/inet/index.ts';
import { millis } from '../../src/machine/index.ts';
import { namespacePath } from '../../src/linux/index.ts';
import { Device } from '../../src/wireguard/index.ts';
import { HandshakeClient } from '../handshake-client.ts';
import { drain, Initiators } from '../initiators.ts';
import { atLeast, ratioAtLeast, type BenchOptions, type Figure, type Measure } from '../measure.ts';
import { inTurn, withHosts, type Hosts } from '../tunnels.ts';

const GOAL = atLeast(2000);
/** With 5 seconds a measurement, the default, 2,000 initiators. */
const INITIATORS_PER_SECOND = 400;
/** Of all handshakes over UDP, how many the responder must know to be complete afterwards. */
const COMPLETE = 0.98;
const ONE_CORE = ['taskset', '-c', '0'];

export const handshakes: Measure = {
  name: 'handshakes',
  description: 'complete handshakes a second of a responder on one core',
  run: async (options) => [measureMachine(options), ...(await compareOverUdp(options))],
};

function measureMachine({ rounds, seconds, onRound }: BenchOptions): Figure {
  const endpoint = parseEndpoint('192.0.2.1:51821')!;
  const privateKey = new Uint8Array(32).fill(7);
  const initiators = new Initiators(seconds * INITIATORS_PER_SECOND, (primitives) => ({
    publicKey: primitives.publicKey(privateKey),
    endpoint,
  }));
  const responder = new Device({ primitives: initiators.primitives, unixTime: () => millis(Date.now()) });
  responder.configure({ privateKey, peers: initiators.all }, initiators.now);
  const ours: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    ours[round] = respond(responder, initiators);
    onRound(`round ${round}: machine ${Math.round(ours[round])}`);
  }
  // The first round was for the compiler.
  return { name: 'handshakes-machine', unit: 'a second', ours: ours.slice(1), goal: GOAL };
}

/** @returns handshakes in a second of the responder's own time */
function respond(responder: Device, initiators: Initiators): number {
  const { all } = initiators;
  const endpoint = parseEndpoint('192.0.2.1:51821')!;
  const initiations = initiators.initiate();
  responder.handleTimeout(initiators.now);
  drain(responder);
  let elapsed = -performance.now();
  const responses = initiations.map((initiation, index) => {
    responder.handleDatagram(initiation, all[index].from, initiators.now);
    return drain(responder)[0];
  });
  elapsed += performance.now();
  const confirmations = responses.map((response, index) => initiators.answer(index, response, endpoint));
  if (confirmations.includes(undefined)) throw new Error('a handshake failed');
  elapsed -= performance.now();
  confirmations.forEach((confirmation, index) => {
    responder.handleDatagram(confirmation!, all[index].from, initiators.now);
    drain(responder);
  });
  elapsed += performance.now();
  return all.length / (elapsed / 1000);
}

function compareOverUdp(options: BenchOptions): Promise<Figure[]> {
  return withHosts({}, async (hosts) => {
    await hosts[0].ip('route', 'add', '198.18.0.0/15', 'via', '192.0.2.2');
    await hosts[1].ip('route', 'add', 'local', '198.18.0.0/15', 'dev', 'lo');
    const figure = await inTurn(options, async (implementation) => ({
      rate: await measureOverUdp(hosts, implementation, options.seconds * INITIATORS_PER_SECOND),
    }));
    const unit = 'a second';
    return [
      figure('rate', { name: 'handshakes-udp', unit, goal: GOAL }),
      figure('rate', { name: 'handshakes-udp-ratio', unit, goal: ratioAtLeast(1) }),
    ];
  });
}

async function measureOverUdp(
  [host, otherHost]: Hosts,
  implementation: Implementation,
  count: number,
): Promise<number> {
  const env = { GOMAXPROCS: '1' };
  const responder = await startEnd(host, { implementation, index: 1, launcher: ONE_CORE, env });
  try {
    const endpoint = parseEndpoint(responder.endpoint4)!;
    const publicKey = new Uint8Array(Buffer.from(responder.publicKey, 'base64'));
    const initiators = new Initiators(count, () => ({ publicKey, endpoint }));
    await admit(host, responder, initiators);
    const client = new HandshakeClient(namespacePath(otherHost.name), initiators, endpoint);
    try {
      client.run(); // Collects cookies.
      client.run(); // Compiles what runs often.
      const since = await nextSecond();
      const rate = client.run();
      const times = [...(await shown(responder, 'latest-handshakes')).values()];
      const complete = times.filter((time) => Number(time) >= since).length;
      if (complete < count * COMPLETE) throw new Error(`only ${complete} of ${count} handshakes were complete`);
      return rate;
    } finally {
      client.close();
    }
  } finally {
    await end(responder.child);
  }
}

/** Waits until a second of Unix time begins: handshakes from then on can be told from those before. */
async function nextSecond(): Promise<number> {
  const now = Date.now();
  const next = Math.floor(now / 1000) + 1;
  await setTimeout(next * 1000 - now);
  return next;
}

async function admit(host: Host, { interfaceName }: TunnelEnd, initiators: Initiators): Promise<void> {
  const sections = initiators.all.map(
    ({ publicKey }) => `[Peer]\nPublicKey = ${Buffer.from(publicKey).toString('base64')}\n`,
  );
  await withFile(sections.join(''), (file) => host.run(['wg', 'addconf', interfaceName, file]));
}
