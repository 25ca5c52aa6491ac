/**
 * Time as the machines see it: a value that is handed in. A point in time and a length of time are both
 * milliseconds; points count from an origin that the caller chooses and never go backwards.
 */
declare const millisBrand: unique symbol;
export type Millis = number & { readonly [millisBrand]: true };

export function millis(value: number): Millis {
  return value as Millis;
}

export function seconds(value: number): Millis {
  return (value * 1000) as Millis;
}

/** The point in time `length` after `at`. */
export function after(at: Millis, length: Millis): Millis {
  return (at + length) as Millis;
}
