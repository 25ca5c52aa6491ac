import type { Millis } from '../machine/index.ts';
import { SHARED_REPLAY_WINDOW_LANES, SharedReplayWindow } from './shared-replay-window.ts';
import { SharedSendCounter } from './shared-send-counter.ts';

/**
 * Where what threads share of a keypair lies, in lanes of 32 bits. What is written by sealing lies in one cache line,
 * what is written by opening in another, so that the threads that do the one do not slow the others.
 */
const SEND_COUNTER = 0;
const SENT = 1;
const RECEIVED = 32;
const CONFIRMED = RECEIVED + 8;
const REPLAY_WINDOW = RECEIVED + 16;
const LANES = REPLAY_WINDOW + SHARED_REPLAY_WINDOW_LANES;

/** From `SENT` and from `RECEIVED` on. Sums and times wrap; whoever reads them takes differences. */
const PACKETS = 0;
const BYTES = 1;
const NOTED_AT = 2;

/** What several threads share of one keypair (docs/decisions/0012-several-threads.md). */
export class SharedSession {
  readonly memory: SharedArrayBuffer;
  readonly sendCounter: SharedSendCounter;
  readonly replayWindow: SharedReplayWindow;
  readonly #lanes: Uint32Array;
  /** What `tally` has told of, as it stood in the lanes. */
  readonly #told = { sentPackets: 0, sentBytes: 0, receivedPackets: 0, receivedBytes: 0 };

  /** `memory` is that of the session in the thread that made it; without it, this is that thread. */
  constructor(memory = new SharedArrayBuffer(4 * LANES)) {
    this.memory = memory;
    this.#lanes = new Uint32Array(memory);
    this.sendCounter = new SharedSendCounter(this.#lanes, SEND_COUNTER);
    this.replayWindow = new SharedReplayWindow(this.#lanes, REPLAY_WINDOW);
  }

  /** Whether a message of the keypair was authenticated: then it is good for sealing, a responder's, too (§6.3). */
  get isConfirmed(): boolean {
    return Atomics.load(this.#lanes, CONFIRMED) === 1;
  }

  confirm(): void {
    Atomics.store(this.#lanes, CONFIRMED, 1);
  }

  /** Has `tally` count `packets` with payload, `bytes` on the wire. */
  noteSent(packets: number, bytes: number, now: Millis): void {
    this.#note(SENT, packets, bytes, now);
  }

  noteReceived(packets: number, bytes: number, now: Millis): void {
    this.#note(RECEIVED, packets, bytes, now);
  }

  /** What was noted since the last call, or `undefined` if nothing was. For one thread only. */
  tally(): Tally | undefined {
    const told = this.#told;
    const sentBytes = Atomics.load(this.#lanes, SENT + BYTES);
    const receivedBytes = Atomics.load(this.#lanes, RECEIVED + BYTES);
    if (sentBytes === told.sentBytes && receivedBytes === told.receivedBytes) return undefined;
    const sentPackets = Atomics.load(this.#lanes, SENT + PACKETS);
    const receivedPackets = Atomics.load(this.#lanes, RECEIVED + PACKETS);
    const tally = {
      sent: { packets: (sentPackets - told.sentPackets) >>> 0, bytes: (sentBytes - told.sentBytes) >>> 0 },
      received: {
        packets: (receivedPackets - told.receivedPackets) >>> 0,
        bytes: (receivedBytes - told.receivedBytes) >>> 0,
      },
      wasReceivedLast: this.#wasReceivedLast(),
    };
    Object.assign(told, { sentPackets, sentBytes, receivedPackets, receivedBytes });
    return tally;
  }

  /** Nothing is sealed or accepted with the keypair from now on, by any thread. */
  close(): void {
    this.sendCounter.close();
    this.replayWindow.close();
  }

  #note(at: number, packets: number, bytes: number, now: Millis): void {
    // The sum that `tally` looks at comes last: what belongs to it is there then.
    Atomics.store(this.#lanes, at + NOTED_AT, (now * 1000) >>> 0);
    Atomics.add(this.#lanes, at + PACKETS, packets);
    Atomics.add(this.#lanes, at + BYTES, bytes);
  }

  /** Within one tick it is an answer, most likely. */
  #wasReceivedLast(): boolean {
    const sentAt = Atomics.load(this.#lanes, SENT + NOTED_AT);
    return ((Atomics.load(this.#lanes, RECEIVED + NOTED_AT) - sentAt) | 0) >= 0;
  }
}

/** What threads did with a keypair. */
export interface Tally {
  readonly sent: { readonly packets: number; readonly bytes: number };
  readonly received: { readonly packets: number; readonly bytes: number };
  /** Whether something was received after, or together with, the last that was sent. */
  readonly wasReceivedLast: boolean;
}
