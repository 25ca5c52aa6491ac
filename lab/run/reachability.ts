import { setTimeout as delay } from 'node:timers/promises';
import { EchoSocket } from './echo-socket.ts';

export interface Pair {
  readonly from: string;
  /** The namespace of `from`. */
  readonly namespace: string;
  /** The name, and the address, of whom it is to reach. */
  readonly to: string;
  readonly address: string;
}

/** Each pair is asked this often, more rarely where there are so many that asking would be a load of its own. */
const INTERVAL_MS = 50;
const MS_A_PAIR = 1;

/**
 * Pings all pairs until each was answered once or it is `deadline` (on the clock of `performance`).
 * @returns when each was answered, in the order of `pairs`
 */
export async function firstAnswers(
  pairs: readonly Pair[],
  deadline: number,
  signal: AbortSignal,
): Promise<(number | undefined)[]> {
  const answeredAt: (number | undefined)[] = pairs.map(() => undefined);
  const sockets = pairs.map(
    ({ namespace, address }, i) => new EchoSocket(namespace, address, () => (answeredAt[i] ??= performance.now())),
  );
  const unanswered = () => sockets.filter((_, i) => answeredAt[i] === undefined);
  try {
    for (let number = 0; unanswered().length > 0 && performance.now() < deadline; number++) {
      signal.throwIfAborted();
      for (const socket of unanswered()) socket.send(number);
      await delay(Math.max(INTERVAL_MS, pairs.length * MS_A_PAIR));
    }
    return answeredAt.map((at) => (at !== undefined && at <= deadline ? at : undefined));
  } finally {
    for (const socket of sockets) socket.close();
  }
}
