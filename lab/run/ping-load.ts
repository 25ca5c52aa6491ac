import { setTimeout as delay } from 'node:timers/promises';
import { outageOf, type Outage } from '../checks/outage.ts';
import { EchoSocket } from './echo-socket.ts';

/** An answer that comes later than this counts as none. */
const ANSWER_TIMEOUT_MS = 1000;

/** Pings from one namespace at an interval, and remembers what was answered. Times on the clock of `performance`. */
export class PingLoad {
  readonly #interval: number;
  readonly #socket: EchoSocket;
  readonly #sentAt: number[] = [];
  readonly #answered = new Set<number>();
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
    return this.#answered.size === this.#sentAt.length;
  }

  outage(from: number, to: number): Outage {
    const sent = this.#sentAt.map((at, number) => ({ at, isAnswered: this.#answered.has(number) }));
    return outageOf(sent, this.#interval, from, to);
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
    if (performance.now() - (this.#sentAt[number] ?? -Infinity) <= ANSWER_TIMEOUT_MS) this.#answered.add(number);
  }
}
