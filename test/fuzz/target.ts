/** Something that takes in bytes of strangers, and what must be true of it whatever they are. */
export interface Target {
  readonly name: string;
  /** Of 100 inputs of a run over all targets, about as many. */
  readonly share: number;
  /** Valid inputs, of which the hostile ones are made. */
  readonly seeds: readonly Uint8Array[];
  /** Words of the format. */
  readonly tokens?: readonly Uint8Array[];
  /** What a short run must come to, lest a target that has gone blind look like a parser that is right. */
  readonly outcomes: readonly string[];
  /**
   * Takes in one input, which it may change. It comes to the same whatever was taken in before.
   * @returns what it came to, in a word. @throws whatever is wrong
   */
  run(input: Uint8Array): string | Promise<string>;
}

/** One of several things that an input is made of. */
export interface Frame {
  /** What the target makes of it; its bits are the target's business. */
  readonly circumstances: number;
  readonly bytes: Uint8Array;
}

const FRAME_HEADER = 3;

/** Reads frames: a byte of circumstances, two of length, and what there is of it. */
export function readFrames(input: Uint8Array, most: number): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at + FRAME_HEADER <= input.length && frames.length < most;) {
    const end = at + FRAME_HEADER + ((input[at + 1] << 8) | input[at + 2]);
    frames.push({ circumstances: input[at], bytes: input.slice(at + FRAME_HEADER, end) });
    at = end;
  }
  return frames;
}

export function writeFrames(frames: readonly Frame[]): Uint8Array {
  return Uint8Array.from(
    frames.flatMap(({ circumstances, bytes }) => [circumstances, bytes.length >> 8, bytes.length & 0xff, ...bytes]),
  );
}
