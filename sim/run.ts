/**
 * One run of a schedule: first without its attacker, then with it. What the honest nodes manage alone they must manage
 * against it, a few seconds later at most. (Counting from the schedule's disturbances alone would be no measure: after a
 * long cut, nodes without any attacker take as long as their beacons and back-offs are apart to find each other.)
 */
import { formatAddress } from '../src/inet/index.ts';
import { millis, type Millis } from '../src/machine/index.ts';
import { lengthOfMessage } from '../src/mesh/device-for-testing.ts';
import type { Sighting } from '../src/mesh/network-for-testing.ts';
import { Attacker } from './attacker.ts';
import { BYSTANDER, BYSTANDER_ON_LINK } from './liar.ts';
import { LENGTH, type Schedule } from './schedule.ts';
import { SECOND, SECONDS, Traffic } from './traffic.ts';
import { INVARIANTS, type Violation } from './violations.ts';
import { Witness } from './witness.ts';
import { World } from './world.ts';

/** How long an attacker may keep two nodes apart that find each other without it. */
export const GRACE_SECONDS = 5;
/** Where the way of two nodes was there for so long, they have found it without an attacker. */
const CONTROL_SECONDS = 30;
/** Of what honest nodes send, by what they send without an attacker, by the attacker's bytes, and in any case. */
const BYTES_BOUND = { control: 1.5, attacker: 4, always: 200_000 };
const MOST_STRANGERS = 1024;
const IP_UDP_HEADERS = 48;
const VICTIMS = new Set([BYSTANDER, BYSTANDER_ON_LINK].map(formatAddress));

export interface Outcome {
  readonly fates: Traffic['fates'];
  readonly violations: readonly Violation[];
  readonly honestBytes: number;
  readonly attackerBytes: number;
  /** Of lies that may have pointed at the bystander. */
  readonly pointingBytes: number;
  readonly bystanderBytes: number;
  readonly mostStrangers: number;
}

/** What of a schedule went wrong; nothing: an empty list. */
export function judge(
  schedule: Schedule,
  control = live(schedule, false),
): { violations: Violation[]; control: Outcome; attacked: Outcome } {
  const attacked = live(schedule, true);
  const violations = [
    ...control.violations.map(({ text, ...rest }) => ({ ...rest, text: `without an attacker: ${text}` })),
    ...checkControl(control, schedule),
    ...attacked.violations,
    ...checkReachable(control, attacked, schedule),
    ...checkVolumes(control, attacked),
  ];
  const order = (violation: Violation) => INVARIANTS.indexOf(violation.invariant);
  return { violations: violations.sort((a, b) => order(a) - order(b)), control, attacked };
}

function live(schedule: Schedule, isAttacked: boolean): Outcome {
  const world = new World(schedule);
  const witness = new Witness(world);
  const traffic = new Traffic(world);
  const attacker = new Attacker(world);
  let bystanderBytes = 0;
  world.start();
  if (isAttacked) {
    if (schedule.attacker === 'member') world.startMember();
    attacker.start();
    const { onSent } = world.network;
    world.network.onSent = (sighting) => {
      if (isToBystander(sighting) && world.belongings.has(sighting.host)) bystanderBytes += bytesOf(sighting);
      onSent(sighting);
    };
  }
  const violations: Violation[] = [];
  try {
    for (let second = 0; second < SECONDS; second++) {
      traffic.send(second);
      world.network.runFor(SECOND);
      witness.look();
      traffic.collect();
    }
  } catch (error) {
    violations.push({
      invariant: 'no exception',
      at: world.network.now,
      text: (error as Error).stack ?? String(error),
    });
  }
  violations.push(...witness.violations);
  const honestBytes = schedule.hosts.reduce((sum, { name }) => sum + (world.network.sentBytes.get(name) ?? 0), 0);
  const { sentBytes: attackerBytes, pointingBytes } = attacker;
  const { mostStrangers } = witness;
  return { fates: traffic.fates, violations, honestBytes, attackerBytes, pointingBytes, bystanderBytes, mostStrangers };
}

/** Whether the world is as it should be where nobody attacks it. */
function checkControl({ fates }: Outcome, schedule: Schedule): Violation[] {
  return everyWindow(schedule, CONTROL_SECONDS, (pair, window) => {
    const isOpen = window.every((second) => ['lost', 'arrived'].includes(fates[pair][second]));
    return isOpen && window.every((second) => fates[pair][second] !== 'arrived') ? 'without an attacker' : undefined;
  });
}

function checkReachable(control: Outcome, attacked: Outcome, schedule: Schedule): Violation[] {
  return everyWindow(schedule, GRACE_SECONDS + 1, (pair, window) => {
    const isEntitled = window.every(
      (second) => control.fates[pair][second] === 'arrived' && !isLossy(schedule, millis(second * SECOND)),
    );
    return isEntitled && window.every((second) => attacked.fates[pair][second] !== 'arrived') ? 'attacked' : undefined;
  });
}

/** One violation for each pair that `judgeWindow` says something about, with all its time. */
function everyWindow(
  { pairs, hosts }: Schedule,
  length: number,
  judgeWindow: (pair: number, window: readonly number[]) => string | undefined,
): Violation[] {
  return pairs.flatMap(([a, b], pair) => {
    const bad = new Set<number>();
    let says = '';
    for (let end = length; end <= SECONDS; end++) {
      const window = Array.from({ length }, (_, i) => end - length + i);
      const said = judgeWindow(pair, window);
      if (said === undefined) continue;
      says = said;
      for (const second of window) bad.add(second);
    }
    if (bad.size === 0) return [];
    const [first, last] = [Math.min(...bad), Math.max(...bad)];
    const text = `${says}: nothing from ${hosts[a].name} reaches ${hosts[b].name}, ${bad.size} s between ${first} and ${last + 1}`;
    return [{ invariant: 'reachable', at: millis(first * SECOND), text }];
  });
}

/** A handshake that is lost by chance is repeated after five seconds, attacker or not. */
function isLossy({ disturbances }: Schedule, now: Millis): boolean {
  const grace = GRACE_SECONDS * SECOND;
  return disturbances.some(({ kind, from, until }) => kind === 'loss' && from <= now && now < until + grace);
}

function checkVolumes(control: Outcome, attacked: Outcome): Violation[] {
  const violations: Violation[] = [];
  const { honestBytes, attackerBytes, pointingBytes, bystanderBytes, mostStrangers } = attacked;
  const at = LENGTH;
  if (bystanderBytes > pointingBytes) {
    const text = `a bystander got ${bystanderBytes} bytes for the attacker's ${pointingBytes}`;
    violations.push({ invariant: 'no amplifier', at, text });
  }
  const bound = BYTES_BOUND.control * control.honestBytes + BYTES_BOUND.attacker * attackerBytes + BYTES_BOUND.always;
  if (honestBytes > bound) {
    const text = `honest nodes sent ${honestBytes} bytes, ${control.honestBytes} without the attacker, who sent ${attackerBytes}`;
    violations.push({ invariant: 'bounded', at, text });
  }
  if (mostStrangers > MOST_STRANGERS) {
    violations.push({ invariant: 'bounded', at, text: `a node keeps ${mostStrangers} strangers` });
  }
  return violations;
}

function isToBystander({ to }: Sighting): boolean {
  return to !== undefined && VICTIMS.has(formatAddress(to.address));
}

function bytesOf({ wire }: Sighting): number {
  return IP_UDP_HEADERS + (wire.kind === 'mesh' ? wire.datagram.length : lengthOfMessage(wire));
}
