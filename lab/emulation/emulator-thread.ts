/** The thread of `LinkEmulator`: carries frames between TAP devices, late, lossy and slow as asked. */
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads';
import { Epoll, EventFd, inNamespace, NativeBuffer, Tap } from '../../src/linux/index.ts';
import { Direction } from './direction.ts';
import type { EmulatorAnswer, EmulatorPlan, EmulatorRequest } from './emulator-messages.ts';
import { seededRandom } from './seeded-random.ts';

/** The longest frame of an interface of the largest MTU. */
const LONGEST_FRAME = 14 + 65_535;
/** So many frames of one end in a row; then the others have their turn, and what is due goes out. */
const FRAMES_A_TURN = 64;
/** Waiting is whole milliseconds: what is due by half of one is due now. */
const HALF_TICK_MS = 0.5;
const WAKE_KEY = 0xffff_ffff;

interface Waiting {
  readonly frame: Uint8Array;
  readonly arrivesAt: number;
}

interface End {
  readonly tap: Tap;
  readonly direction: Direction;
  /** `undefined` while it is plugged in nowhere. */
  link: number | undefined;
  /** On their way from here, in the order of arrival. */
  onTheWay: Waiting[];
}

class Emulation {
  readonly #plan: EmulatorPlan;
  readonly #port: MessagePort;
  readonly #ends: End[];
  readonly #cut = new Set<number>();
  readonly #buffer = new NativeBuffer(LONGEST_FRAME);
  readonly #epoll = new Epoll();
  readonly #wake: EventFd;

  constructor(plan: EmulatorPlan, port: MessagePort) {
    this.#plan = plan;
    this.#port = port;
    this.#ends = plan.ends.map(({ namespacePath, interface: name, link }, i) => ({
      tap: inNamespace(namespacePath, () => new Tap(name)),
      // Each direction has its own chances, or two frames at once would always share their fate.
      direction: new Direction(plan.links[link], seededRandom(plan.seed * 1000 + i)),
      link,
      onTheWay: [],
    }));
    this.#wake = EventFd.of(plan.wakeFd);
    this.#epoll.add(plan.wakeFd, WAKE_KEY);
    for (const [i, { tap }] of this.#ends.entries()) this.#epoll.add(tap.fd, i);
  }

  /** Until it is told to stop. */
  run(): void {
    for (let stopped = false; !stopped;) {
      const ready = this.#epoll.wait(this.#timeout());
      for (let i = 0; i < ready; i++) {
        const key = this.#epoll.key(i);
        if (key === WAKE_KEY) stopped = this.#obey();
        else this.#takeIn(this.#ends[key]);
      }
      this.#deliver();
    }
    for (const { tap } of this.#ends) tap.close();
    this.#epoll.close();
  }

  #timeout(): number {
    const next = Math.min(...this.#ends.map(({ onTheWay }) => onTheWay[0]?.arrivesAt ?? Infinity));
    return next === Infinity ? -1 : Math.max(0, Math.round(next - performance.now()));
  }

  #takeIn(end: End): void {
    const now = performance.now();
    for (let i = 0; i < FRAMES_A_TURN; i++) {
      const length = end.tap.read(this.#buffer);
      if (length === 0) return;
      if (!this.#isConnected(end)) continue;
      const arrivesAt = end.direction.admit(length, now);
      if (arrivesAt !== undefined) end.onTheWay.push({ frame: this.#buffer.bytes.slice(0, length), arrivesAt });
    }
  }

  /** All ends but the one that sent get the frame, as on a hub; what is not for them their kernels drop. */
  #deliver(): void {
    const due = performance.now() + HALF_TICK_MS;
    for (const end of this.#ends) {
      const count = end.onTheWay.findIndex(({ arrivesAt }) => arrivesAt > due);
      const arrived = end.onTheWay.splice(0, count < 0 ? end.onTheWay.length : count);
      if (!this.#isConnected(end)) continue;
      const others = this.#ends.filter((other) => other !== end && other.link === end.link);
      for (const { frame } of arrived) {
        this.#buffer.bytes.set(frame);
        for (const { tap } of others) tap.write(this.#buffer, frame.length);
      }
    }
  }

  #isConnected({ link }: End): boolean {
    return link !== undefined && !this.#cut.has(link);
  }

  /** @returns whether that was all */
  #obey(): boolean {
    this.#wake.drain();
    let stopped = false;
    for (let got = receiveMessageOnPort(this.#port); got !== undefined; got = receiveMessageOnPort(this.#port)) {
      const request = got.message as EmulatorRequest;
      if (request.kind === 'stop') stopped = true;
      else this.#change(request);
      answer(this.#port, { kind: 'done' });
    }
    return stopped;
  }

  #change(request: Exclude<EmulatorRequest, { kind: 'stop' }>): void {
    if (request.kind === 'move') {
      const end = this.#ends[request.end];
      const i = request.end;
      const direction = new Direction(this.#plan.links[request.link], seededRandom(this.#plan.seed * 1000 + i));
      this.#ends[i] = { tap: end.tap, direction, link: request.link, onTheWay: [] };
      end.tap.setCarrier(true);
      return;
    }
    if (request.kind === 'unplug') {
      this.#ends[request.end].link = undefined;
      this.#ends[request.end].tap.setCarrier(false);
      return;
    }
    const isCut = request.kind === 'cut';
    if (isCut) this.#cut.add(request.link);
    else this.#cut.delete(request.link);
    const hasCarrier = !(isCut && request.how === 'carrier');
    for (const { tap, link } of this.#ends) if (link === request.link) tap.setCarrier(hasCarrier);
  }
}

function answer(port: MessagePort, message: EmulatorAnswer): void {
  port.postMessage(message);
}

if (parentPort !== null) {
  try {
    const emulation = new Emulation(workerData as EmulatorPlan, parentPort);
    answer(parentPort, { kind: 'ready' });
    emulation.run();
  } catch (error) {
    answer(parentPort, { kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  }
}
