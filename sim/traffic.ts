/** What applications of honest nodes send to each other, once a second, and what of it arrives. */
import { seconds } from '../src/machine/index.ts';
import { LENGTH, type HostPlan } from './schedule.ts';
import type { World } from './world.ts';

export const SECOND = seconds(1);
export const SECONDS = LENGTH / SECOND;
/** Two bytes say which pair, two which second; the length is that of much traffic. */
const BYTES = 1000;

/** What became of the packet of one second. */
type Fate = 'not sent' | 'no path' | 'lost' | 'arrived';

export class Traffic {
  /** By pair and second. */
  readonly fates: Fate[][];
  readonly #world: World;
  #deliveredSeen = 0;

  constructor(world: World) {
    this.#world = world;
    this.fates = world.schedule.pairs.map(() => Array.from({ length: SECONDS }, () => 'not sent' as Fate));
  }

  send(second: number): void {
    const { network, schedule } = this.#world;
    schedule.pairs.forEach(([a, b], pair) => {
      const [from, to] = [schedule.hosts[a], schedule.hosts[b]] as [HostPlan, HostPlan];
      if (!network.isRunning(from.name) || !network.isRunning(to.name)) return;
      this.fates[pair][second] = this.#world.hasPath(from, to) ? 'lost' : 'no path';
      const packet = new Uint8Array(BYTES);
      new DataView(packet.buffer).setUint32(0, pair * 0x10000 + second);
      network.sendData(from.name, to.name, packet);
    });
  }

  collect(): void {
    const { delivered } = this.#world.network;
    for (; this.#deliveredSeen < delivered.length; this.#deliveredSeen++) {
      const { host, datagram } = delivered[this.#deliveredSeen];
      if (datagram.length !== BYTES) continue;
      const number = new DataView(datagram.buffer, datagram.byteOffset).getUint32(0);
      const [pair, second] = [number >>> 16, number & 0xffff];
      const [, to] = this.#world.schedule.pairs[pair];
      if (host === this.#world.schedule.hosts[to].name) this.fates[pair][second] = 'arrived';
    }
  }
}
