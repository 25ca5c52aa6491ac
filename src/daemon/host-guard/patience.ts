/**
 * How long to wait before something is put back that somebody removes again and again. The first few times at once: an
 * administrator at work, a service that starts anew. Who goes on gets longer and longer to notice what he does.
 */
const AT_ONCE = 5;
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 60_000;
/** Undisturbed for so long, and for twice the pause, it is a new story. */
const QUIET_MS = 30_000;

export class Patience {
  readonly #stories = new Map<string, { times: number; lastAt: number }>();

  /** When what is missing under `key` may be put back. */
  dueAt(key: string, now: number): number {
    const story = this.#stories.get(key);
    if (story === undefined || isOver(story, now)) return now;
    return story.lastAt + pauseAfter(story.times);
  }

  /** To be called when it is put back. @returns how long it will stay away the next time it is removed, in ms */
  putBack(key: string, now: number): number {
    const story = this.#stories.get(key);
    const times = story === undefined || isOver(story, now) ? 1 : story.times + 1;
    this.#stories.set(key, { times, lastAt: now });
    return pauseAfter(times);
  }
}

function pauseAfter(times: number): number {
  return times < AT_ONCE ? 0 : Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (times - AT_ONCE));
}

function isOver({ times, lastAt }: { times: number; lastAt: number }, now: number): boolean {
  return now - lastAt > Math.max(QUIET_MS, 2 * pauseAfter(times));
}
