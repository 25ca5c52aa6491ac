import { Random } from './random.ts';

/** Values at which lengths, offsets and counters turn over; -1 stands for all ones. */
const EDGES = [
  ...[-1, 0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 19, 20, 21, 31, 32, 39, 40, 41, 59, 60, 61, 63, 64, 127, 128, 255, 256],
  ...[1279, 1280, 1420, 1500, 0x7fff, 0x8000, 0xfffe, 0xffff, 0x1_0000, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32],
  ...[2 ** 53 - 1, 2 ** 53, 2 ** 60, 2 ** 63],
];

/** Fields that matter lie in front. */
const FRONT = 64;

type Mutation = (bytes: Uint8Array, random: Random) => Uint8Array;

/** Makes hostile inputs of valid ones: a few mutations each, one input in 64 all chance. */
export class Mutator {
  readonly #seeds: readonly Uint8Array[];
  readonly #mutations: readonly Mutation[];
  readonly #longest: number;

  /** `tokens`: what the format has a meaning for. */
  constructor(seeds: readonly Uint8Array[], tokens: readonly Uint8Array[]) {
    this.#seeds = seeds;
    this.#longest = 2 * Math.max(...seeds.map(({ length }) => length)) + FRONT;
    const splice: Mutation = (bytes, random) => spliced(bytes, random.pick(seeds), random);
    const insertToken: Mutation = (bytes, random) => replaced(bytes, random, 0, random.pick(tokens));
    const overwriteToken: Mutation = (bytes, random) => {
      const token = random.pick(tokens);
      return replaced(bytes, random, token.length, token);
    };
    this.#mutations = [
      ...[flipBit, flipBit, setByte, setInteger, setInteger, setInteger, truncate, extend, cutOut, repeat, splice],
      ...(tokens.length > 0 ? [insertToken, insertToken, overwriteToken] : []),
    ];
  }

  input(random: Random): Uint8Array {
    if (random.below(64) === 0) return random.bytes(random.below(Math.min(this.#longest, 512)));
    let bytes: Uint8Array = random.pick(this.#seeds).slice();
    for (let left = 1 + random.below(1 + random.below(8)); left > 0; left--) {
      bytes = random.pick(this.#mutations)(bytes, random);
    }
    return bytes.length > this.#longest ? bytes.slice(0, this.#longest) : bytes;
  }
}

function flipBit(bytes: Uint8Array, random: Random): Uint8Array {
  if (bytes.length > 0) bytes[positionIn(bytes, random)] ^= 1 << random.below(8);
  return bytes;
}

function setByte(bytes: Uint8Array, random: Random): Uint8Array {
  if (bytes.length > 0) bytes[positionIn(bytes, random)] = random.uint32();
  return bytes;
}

/** Writes an edge value, or the length of the input or nearly that, in 1 to 8 bytes and either order. */
function setInteger(bytes: Uint8Array, random: Random): Uint8Array {
  const width = random.pick([1, 2, 2, 4, 8]);
  if (bytes.length < width) return bytes;
  const at = Math.min(positionIn(bytes, random), bytes.length - width);
  const value = random.below(4) === 0 ? bytes.length + random.below(41) - 20 : random.pick(EDGES);
  const isLittleEndian = random.below(2) === 0;
  for (let i = 0; i < width; i++) {
    bytes[isLittleEndian ? at + i : at + width - 1 - i] = value < 0 ? 0xff : Math.floor(value / 256 ** i) % 256;
  }
  return bytes;
}

function truncate(bytes: Uint8Array, random: Random): Uint8Array {
  return bytes.slice(0, random.below(bytes.length + 1));
}

function extend(bytes: Uint8Array, random: Random): Uint8Array {
  return joined(bytes, random.bytes(1 + random.below(FRONT)), new Uint8Array(0));
}

function cutOut(bytes: Uint8Array, random: Random): Uint8Array {
  return replaced(bytes, random, random.below(FRONT), new Uint8Array(0));
}

function repeat(bytes: Uint8Array, random: Random): Uint8Array {
  const start = random.below(bytes.length + 1);
  return replaced(bytes, random, 0, bytes.slice(start, start + random.below(2 * FRONT)));
}

function spliced(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const start = random.below(bytes.length + 1);
  const from = random.below(2) === 0 ? start : random.below(other.length + 1);
  return joined(bytes.subarray(0, start), other.subarray(from), new Uint8Array(0));
}

/** `bytes` with `length` of them, somewhere, replaced by `insertion`. */
function replaced(bytes: Uint8Array, random: Random, length: number, insertion: Uint8Array): Uint8Array {
  const at = random.below(bytes.length + 1);
  return joined(bytes.subarray(0, at), insertion, bytes.subarray(at + length));
}

function joined(first: Uint8Array, second: Uint8Array, third: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + second.length + third.length);
  bytes.set(first);
  bytes.set(second, first.length);
  bytes.set(third, first.length + second.length);
  return bytes;
}

function positionIn(bytes: Uint8Array, random: Random): number {
  return random.below(random.below(2) === 0 ? Math.min(FRONT, bytes.length) : bytes.length);
}
