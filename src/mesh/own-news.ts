/** When this node signs a new description of itself: endpoints change, time passes, or others know one that it does not. */
import { millis, seconds, TimerTable, type Millis } from '../machine/index.ts';
import type { NodeContext } from './node-context.ts';

/** Between two descriptions of our own, so that an interface that flaps does not flood the mesh. */
const MIN_SIGN_INTERVAL = seconds(2);
/** The same while another machine seems to use our identity, or the two would outbid each other without end. */
const CONTESTED_SIGN_INTERVAL = seconds(60);

export class OwnNews {
  readonly #context: NodeContext;
  readonly #timers = new TimerTable<'sign'>();
  #signedAt = millis(-Infinity);
  #adoptions = 0;

  constructor(context: NodeContext) {
    this.#context = context;
    this.#commit();
  }

  /** Whether others know an earlier life of ours, or somebody else's with our identity. */
  get isContested(): boolean {
    return this.#adoptions > 0;
  }

  signSoon(now: Millis, interval = MIN_SIGN_INTERVAL): void {
    this.#timers.set('sign', millis(Math.max(now, this.#signedAt + interval)));
  }

  /** Somebody knows a description of ours with this sequence number. */
  handle(sequence: number, now: Millis): void {
    const { own, options, outbox } = this.#context;
    if (!own.adopt(sequence, options.unixTime())) return;
    if (this.#timers.isSet('sign')) return;
    // Once, an earlier life of ours whose state was lost; again and again, somebody else's life.
    const isContested = this.isContested;
    this.#adoptions += 1;
    this.signSoon(now, isContested ? CONTESTED_SIGN_INTERVAL : MIN_SIGN_INTERVAL);
    if (this.#adoptions !== 2) return;
    const self = { description: own.current, endpoint: undefined, foundBy: 'beacon' } as const;
    outbox.event('identity-contradiction', self, 'another machine seems to use our identity');
  }

  /** @returns whether there is a new description, which others must be told of */
  handleTimeout(now: Millis): boolean {
    if (this.#timers.expired(now) === undefined) return false;
    this.sign(now);
    return true;
  }

  sign(now: Millis): void {
    this.#timers.stop('sign');
    this.#signedAt = now;
    this.#context.own.sign(this.#context.options.unixTime());
    this.#commit();
  }

  nextTimeout(): Millis | undefined {
    return this.#timers.next();
  }

  #commit(): void {
    const { roster, own, outbox } = this.#context;
    roster.newest.accept(own.current);
    outbox.storeSequence(own.current.sequence);
  }
}
