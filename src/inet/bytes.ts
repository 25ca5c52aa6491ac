/** Of public values: how long it takes tells where they differ. Secrets are compared by `Primitives.equal`. */
export function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
