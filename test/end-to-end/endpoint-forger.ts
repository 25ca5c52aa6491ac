/**
 * A stranger who would like to be the path between two nodes: `node endpoint-forger.js PLAN`, the plan in JSON. He sends
 * Hellos in the name of each to the other, answers all Hellos in the other's name, and passes on what comes from one to the
 * other as if it were his. Prints `forged` when all Hellos are out, and a line for each WireGuard message that he gets.
 */
import { createSocket } from 'node:dgram';
import { setTimeout as delay } from 'node:timers/promises';
import { readMessage } from '../../src/mesh/index.ts';
import { forgedHello, TAG } from './forged-packets.ts';

/** A node, and where it is. */
export interface Victim {
  readonly nodeId: string;
  readonly sequence: number;
  readonly address: string;
  readonly port: number;
}

export interface ForgersPlan {
  readonly victims: readonly [Victim, Victim];
  /** Hellos in each one's name. */
  readonly count: number;
  /** Before each Hello, beacons in each one's name, each newer than the one before. */
  readonly beacons: number;
  readonly port: number;
}

const INTERVAL_MS = 10;
const WIREGUARD_TYPES = [1, 2, 3, 4];

const { victims, count, beacons, port } = JSON.parse(process.argv[2]) as ForgersPlan;
const socket = createSocket('udp6');
const withoutZone = (address: string): string => address.split('%')[0];
const send = (datagram: Uint8Array, { address, port }: Victim): void => socket.send(datagram, port, address);

socket.on('message', (datagram, from) => {
  const sender = victims.find(({ address }) => withoutZone(address) === withoutZone(from.address));
  const other = victims.find((victim) => victim !== sender);
  if (sender === undefined || other === undefined) return;
  if (WIREGUARD_TYPES.includes(datagram[0])) process.stdout.write(`WireGuard ${datagram[0]} from ${from.address}\n`);
  send(datagram, other);
  const message = readMessage(datagram, TAG);
  if (typeof message === 'string' || message.kind !== 'hello' || message.challenge === 0n) return;
  send(forgedHello(other, { echo: message.challenge }), sender);
});

socket.bind(port, '::', () => void forge());

async function forge(): Promise<void> {
  for (let i = 1; i <= count; i++) {
    for (const [first, second] of [victims, victims.toReversed()]) {
      for (let n = 1; n <= beacons; n++) {
        const { nodeId, sequence } = first;
        send(forgedHello({ nodeId, sequence: sequence + i * beacons + n }), second);
      }
      send(forgedHello(first, { challenge: BigInt(i) }), second);
    }
    await delay(INTERVAL_MS);
  }
  process.stdout.write('forged\n');
}
