/** A hub with a host behind each of two interfaces, and a queue in which minutes of traffic fit before one of them. */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Host, wire } from './hosts.ts';

const PACED_SENDER = fileURLToPath(new URL('./paced-sender.js', import.meta.url));
const DISCARD_PORT = '9';
const FLOOD_BYTES = 1200;
const DEEP_QUEUE = ['rate', '1mbit', 'burst', '10k', 'limit', '200000000'];

/** The hub's interface to the host of that number, 1 or 2, and the addresses there: 10.0.N.1 and 10.0.N.2. */
export async function joinToHub(hub: Host, other: Host, number: number): Promise<void> {
  await wire([hub, `eth${number}`], [other, 'eth0']);
  await hub.ip('address', 'add', `10.0.${number}.1/24`, 'dev', `eth${number}`);
  await hub.ip('link', 'set', `eth${number}`, 'up');
  await other.ip('address', 'add', `10.0.${number}.2/24`, 'dev', 'eth0');
  await other.ip('link', 'set', 'eth0', 'up');
}

/** Makes the way to the first host a slow one. */
export async function narrow(hub: Host): Promise<void> {
  await hub.run(['tc', 'qdisc', 'add', 'dev', 'eth1', 'root', 'tbf', ...DEEP_QUEUE]);
}

/** Sends `megabits` a second to `address`, far more than the way there takes. @returns what waits until it is over */
export function flood(hub: Host, address: string, megabits: number, seconds: number): Promise<unknown> {
  const perSecond = (megabits * 1_000_000) / (8 * FLOOD_BYTES);
  const argv = [PACED_SENDER, address, DISCARD_PORT, FLOOD_BYTES, Math.round(perSecond), seconds].map(String);
  return once(hub.start([process.execPath, ...argv]), 'exit');
}
