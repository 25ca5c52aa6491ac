/** Quantities as a scenario spells them: a number, a unit, with or without a space between them. */
const DURATIONS = { us: 0.001, ms: 1, s: 1000, min: 60_000 };
const RATES = { 'bit/s': 1, 'kbit/s': 1e3, 'Mbit/s': 1e6, 'Gbit/s': 1e9 };
const SHARES = { '%': 0.01 };

/** `"20 ms"`, in milliseconds. */
export function parseDuration(text: string): number | undefined {
  return parseQuantity(text, DURATIONS);
}

/** `"10 Mbit/s"`, in bits a second. */
export function parseRate(text: string): number | undefined {
  return parseQuantity(text, RATES);
}

/** `"1.5 %"`, as a part of 1. */
export function parseShare(text: string): number | undefined {
  const share = parseQuantity(text, SHARES);
  return share !== undefined && share <= 1 ? share : undefined;
}

function parseQuantity(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?(\S+)$/.exec(text);
  const unit = match === null ? undefined : units[match[2]];
  return match === null || unit === undefined ? undefined : Number(match[1]) * unit;
}

/** Milliseconds as people read them. */
export function formatDuration(ms: number): string {
  if (ms >= 10_000) return `${(ms / 1000).toFixed(1)} s`;
  return ms >= 1000 ? `${(ms / 1000).toFixed(2)} s` : `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;
}

export function formatRate(bitsPerSecond: number): string {
  const [unit, size] = Object.entries(RATES).findLast(([, one]) => bitsPerSecond >= one) ?? ['bit/s', 1];
  return `${(bitsPerSecond / size).toFixed(size === 1 ? 0 : 2)} ${unit}`;
}
