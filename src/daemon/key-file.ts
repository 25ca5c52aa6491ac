import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { WiremeshError } from '../error.ts';
import { writeFileAtomically } from './atomic-file.ts';

const KEY_BYTES = 32;

/** A key file is there and must not be used. Never shows what is in it. */
export class KeyFileError extends WiremeshError {
  readonly code = 'KEY_FILE';
}

/** @returns the 32 bytes that the one base64 line of the file stands for, or `undefined` if there is no file */
export function readKeyFile(path: string): Uint8Array | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new KeyFileError(`${path} cannot be read (${code}): check its owner and permissions`);
  }
  try {
    // Of the open file, so that what is checked is what is read.
    const status = fstatSync(file);
    if (!status.isFile()) throw new KeyFileError(`${path} is no file: move it away to get a new key`);
    const { mode, uid } = status;
    const user = process.geteuid?.() ?? 0;
    if (uid !== user) {
      throw new KeyFileError(
        `${path} belongs to user ${uid}, who knows the key: move it away to get a new one, or run "chown ${user} ${path}"`,
      );
    }
    if ((mode & 0o077) !== 0) {
      throw new KeyFileError(
        `${path} is open to others than its owner: run "chmod 600 ${path}", or move it away to get a new key`,
      );
    }
    return decodeKey(readFileSync(file, 'latin1'), path);
  } finally {
    closeSync(file);
  }
}

function decodeKey(text: string, path: string): Uint8Array {
  const remedy = 'restore it from a backup, or move it away to get a new key';
  if (text.trim() === '') throw new KeyFileError(`${path} is empty: ${remedy}`);
  const key = Buffer.from(text, 'base64');
  // Node's decoder skips what it does not know; only the text that the key gives back is the key's.
  if (key.length !== KEY_BYTES || encodeKey(key) !== `${text.trimEnd()}\n`) {
    throw new KeyFileError(`${path} is corrupt, it does not hold one base64 line of a 32-byte key: ${remedy}`);
  }
  const copy = new Uint8Array(key);
  // It lies in a pool that all of Node shares.
  key.fill(0);
  return copy;
}

export function writeKeyFile(path: string, key: Uint8Array): void {
  writeFileAtomically(path, encodeKey(key));
}

function encodeKey(key: Uint8Array): string {
  return `${Buffer.from(key.buffer, key.byteOffset, key.length).toString('base64')}\n`;
}
