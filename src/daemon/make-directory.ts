import { mkdirSync } from 'node:fs';

/**
 * Makes one directory in another that exists. Not `recursive`: a mistyped path should not leave a row of directories, and
 * Node 20 never returns from making one below /proc.
 * @returns whether it is new
 */
export function makeDirectory(path: string, mode: number): boolean {
  try {
    mkdirSync(path, { mode });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
