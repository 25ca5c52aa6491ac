/**
 * On which line of a text the keys of its document stand. The parser of TOML keeps no positions; for errors it is enough
 * to find what stands at the beginning of a line, and the enclosing table else.
 */
export type KeyPath = readonly (string | number)[];
/** Lines, counted from 1, by paths as JSON. */
export type Positions = ReadonlyMap<string, number>;

/** The line of the key at `path`, or of the innermost table around it that has one. */
export function lineOf(positions: Positions, path: KeyPath): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const line = positions.get(JSON.stringify(path.slice(0, length)));
    if (line !== undefined) return line;
  }
  return undefined;
}

const KEY = String.raw`(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')`;
const DOTTED = `${KEY}(?:\\s*\\.\\s*${KEY})*`;
const HEADING = new RegExp(`^\\s*(\\[\\[?)\\s*(${DOTTED})\\s*\\]`);
const ASSIGNMENT = new RegExp(`^\\s*(${DOTTED})\\s*=`);

/** Of a valid TOML document (v1.0). What stands inside of an inline table is found at that table's line. */
export function tomlPositions(text: string): Positions {
  const positions = new Map<string, number>();
  const counts = new Map<string, number>();
  let table: KeyPath = [];
  /** Into the last element of every array of tables on the way. */
  const resolve = (keys: readonly string[]): KeyPath =>
    keys.reduce<KeyPath>((path, key) => {
      const count = counts.get(JSON.stringify([...path, key]));
      return count === undefined ? [...path, key] : [...path, key, count - 1];
    }, []);
  for (const [i, line] of text.split('\n').entries()) {
    const record = (path: KeyPath) => positions.set(JSON.stringify(path), positions.get(JSON.stringify(path)) ?? i + 1);
    const [, brackets, heading] = HEADING.exec(line) ?? [];
    if (heading !== undefined) {
      const keys = splitKeys(heading);
      const array = JSON.stringify([...resolve(keys.slice(0, -1)), ...keys.slice(-1)]);
      if (brackets === '[[') counts.set(array, (counts.get(array) ?? 0) + 1);
      table = resolve(keys);
      record(table);
    } else {
      const [, assigned] = ASSIGNMENT.exec(line) ?? [];
      if (assigned !== undefined) record([...table, ...splitKeys(assigned)]);
    }
  }
  return positions;
}

function splitKeys(dotted: string): string[] {
  return [...dotted.matchAll(new RegExp(KEY, 'g'))].map(([key]) => key.replace(/^["']|["']$/g, ''));
}
