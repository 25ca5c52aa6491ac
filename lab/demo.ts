/**
 * `npm run demo`: three nodes that find each other, ping each other through the mesh and show their status, and a capture
 * on the links that says whether anybody between them could have read along. Stays up until Ctrl-C, or with `--once` ends
 * by itself: 0 only if all of it worked. Needs Node and iproute2, nothing else.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { WiremeshError } from '../src/error.ts';
import { Capture } from './capture.ts';
import { WIREMESH } from './daemons.ts';
import { pingAllPairs, type Ping } from './echo.ts';
import { LabError } from './lab-error.ts';
import { createUnderlay, removeLab, startDaemons, waitForTunnels, type LabPlan } from './lab.ts';
import { nodePaths } from './state.ts';
import { linksOf, nodeNumbers } from './topology.ts';
import { namespaceName, nodeName, underlayAddress } from './underlay.ts';

const PLAN: LabPlan = { lab: 'demo', nodes: 3, topology: 'line' };
const NODES = nodeNumbers(PLAN.nodes);
const TUNNEL_TIMEOUT_MS = 60_000;
const PING_TIMEOUT_MS = 10_000;

/** 16 random bytes, over and over: whatever is cut off in front, a stretch of plaintext still holds them whole. */
function repeated(pattern: Uint8Array): Uint8Array {
  return Buffer.alloc(256, pattern);
}

async function demo(once: boolean, signal: AbortSignal): Promise<void> {
  say('A mesh of three nodes in a line: n1 -- n2 -- n3. Each is a network namespace with a wiremesh daemon in it;');
  say('n1 and n3 share no link and know nothing of each other.\n');
  await createUnderlay(PLAN);
  let capture: Capture | undefined;
  try {
    const meshPattern = randomBytes(16);
    const controlPattern = randomBytes(16);
    capture = Capture.start(PLAN.lab, linksOf(PLAN.topology, PLAN.nodes), [meshPattern, controlPattern]);
    const startedAt = performance.now();
    const addresses = (await startDaemons(PLAN, signal)).map(({ self }) => self.address);
    await waitForTunnels(PLAN.lab, TUNNEL_TIMEOUT_MS, signal);
    const elapsed = ((performance.now() - startedAt) / 1000).toFixed(1);
    say(`All found each other: every node has a tunnel to every other, ${elapsed} s after the first was started.\n`);

    const pings = await pingAllPairs(PLAN.lab, addresses, repeated(meshPattern), PING_TIMEOUT_MS);
    say('Ping through the mesh:');
    for (const node of NODES)
      say(
        `  ${pings
          .filter(({ from }) => from === node)
          .map(describePing)
          .join('   ')}`,
      );
    const underlayAddresses = NODES.map(underlayAddress);
    await pingAllPairs(PLAN.lab, underlayAddresses, repeated(controlPattern), PING_TIMEOUT_MS);
    // The capture reads in the same event loop; what is on the links has been read after the next turn.
    await delay(50);

    for (const node of NODES) say(`\n$ wiremesh status   (on ${nodeName(node)})\n${wiremeshStatus(node)}`);
    report(capture);
    judge(pings, capture);
    if (!once) await stay(addresses, signal);
  } finally {
    capture?.close();
    await removeLab(PLAN.lab);
    say('The demo has removed its namespaces, links and daemons.');
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function describePing({ from, to, roundTripTimeMs }: Ping): string {
  const answer = roundTripTimeMs === undefined ? 'no answer' : `${roundTripTimeMs.toFixed(1)} ms`;
  return `${nodeName(from)} -> ${nodeName(to)}  ${answer}`;
}

function wiremeshStatus(node: number): string {
  const args = [WIREMESH, 'status', '--socket', nodePaths(PLAN.lab, node).socket];
  return execFileSync(process.execPath, args, { encoding: 'utf8' }).trimEnd();
}

function report(capture: Capture): void {
  const { initiation, response, transport, mesh } = capture.counts;
  say('\nWhat a capture on the links saw:');
  say(`  WireGuard: ${initiation} handshake initiations, ${response} responses, ${transport} transport messages`);
  say(`  mesh control messages: ${mesh}`);
  say(`  plaintext of the pings through the mesh: ${capture.sightings(0) || 'none'}`);
  say(`  plaintext of the same pings outside of the mesh, to see that it would be found: ${capture.sightings(1)}\n`);
}

/** @throws LabError with everything that is not as it must be */
function judge(pings: readonly Ping[], capture: Capture): void {
  const { initiation, response, transport, mesh } = capture.counts;
  const unanswered = pings.filter(({ roundTripTimeMs }) => roundTripTimeMs === undefined).map(describePing);
  const complaints = [
    ...unanswered,
    initiation && response && transport ? [] : 'the capture missed WireGuard messages',
    mesh ? [] : 'the capture saw no mesh control messages',
    capture.sightings(0) ? 'the payload of the pings was on the links in plaintext' : [],
    capture.sightings(1) ? [] : 'the capture is blind: it saw no plaintext where there was some',
  ].flat();
  if (complaints.length > 0) throw new LabError(`the demo failed: ${complaints.join('; ')}`);
}

async function stay(addresses: readonly string[], signal: AbortSignal): Promise<void> {
  say('The mesh stays up until Ctrl-C. Meanwhile, in another terminal:');
  say(`  ip netns exec ${namespaceName(PLAN.lab, 1)} ping ${addresses.at(-1)}`);
  say(`  tail -f ${nodePaths(PLAN.lab, 1).log}`);
  // An abort is how it ends, not a failure; something must keep the process running until then.
  await delay(2 ** 31 - 1, undefined, { signal }).catch(() => say(''));
}

const interruption = new AbortController();
const interrupt = () => interruption.abort(new LabError('interrupted'));
process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
try {
  await demo(process.argv.includes('--once'), interruption.signal);
} catch (error) {
  if (!(error instanceof WiremeshError)) throw error;
  process.stderr.write(`wiremesh demo: ${error.message}\n`);
  process.exitCode = 1;
}
