import { setTimeout as delay } from 'node:timers/promises';
import { longestOvertaken } from '../checks/order.ts';
import { outageOf, type Outage } from '../checks/outage.ts';
import { EchoSocket } from './echo-socket.ts';

/** An answer that comes later than this counts as none. */
const ANSWER_TIMEOUT_MS = 1000;

/** Pings from one namespace at an interval, and remembers what was answered. Times on the clock of `performance`. */
export class PingLoad {
  readonly #interval: number;
  readonly #socket: EchoSocket;
  readonly #sentAt: number[] = [];
  readonly #answeredAt = new Map<number, number>();
  readonly #timer: NodeJS.Timeout;
  readonly #startedAt = performance.now();

  constructor(namespace: string, to: string, interval: number) {
    this.#interval = interval;
    this.#socket = new EchoSocket(namespace, to, (number) => this.#hear(number));
    this.#send();
    this.#timer = setInterval(() => this.#send(), interval);
  }

  /** Stops sending; resolves when no answer is waited for any more. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await delay(this.#isComplete() ? 0 : ANSWER_TIMEOUT_MS);
    this.#socket.close();
  }

  /** Stops at once, whatever was on its way. */
  abandon(): void {
    clearInterval(this.#timer);
    this.#socket.close();
  }

  #isComplete(): boolean {
    return this.#answeredAt.size === this.#sentAt.length;
  }

  outage(from: number, to: number): Outage {
    const sent = this.#sentAt.map((at, number) => ({ at, isAnswered: this.#answeredAt.has(number) }));
    return outageOf(sent, this.#interval, from, to);
  }

  /** In milliseconds, over all. */
  longestOvertaken(): number {
    return longestOvertaken(this.#sentAt.map((_, number) => this.#answeredAt.get(number)));
  }

  /** A timer that comes late is made up for: the number of packets says how much time was lost. */
  #send(): void {
    const due = Math.floor((performance.now() - this.#startedAt) / this.#interval) + 1;
    while (this.#sentAt.length < due) {
      this.#socket.send(this.#sentAt.length);
      this.#sentAt.push(performance.now());
    }
  }

  #hear(number: number): void {
    const now = performance.now();
    const isInTime = now - (this.#sentAt[number] ?? -Infinity) <= ANSWER_TIMEOUT_MS;
    if (isInTime && !this.#answeredAt.has(number)) this.#answeredAt.set(number, now);
  }
}
