import { readFileSync } from 'node:fs';

/** The text of a file of this folder. The compiler does not copy data, so it is read where it lies. */
export function readVectors(name: string): string {
  return readFileSync(new URL(`../../../test/vectors/${name}`, import.meta.url), 'utf8');
}

export function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}

export function hex(value: Uint8Array | undefined): string | undefined {
  return value && Buffer.from(value).toString('hex');
}
