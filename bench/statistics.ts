export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value that `part` of all values do not exceed; between two of them where it falls between. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = (sorted.length - 1) * part;
  const below = sorted[Math.floor(place)];
  const above = sorted[Math.ceil(place)];
  return below + (above - below) * (place - Math.floor(place));
}

/** Largest less smallest, as a part of the median; 0 where all are the same. */
export function spread(values: readonly number[]): number {
  const width = Math.max(...values) - Math.min(...values);
  return width === 0 ? 0 : width / median(values);
}
