/** The file in which a node keeps what it knows of others. Losing it costs time, so nothing about it ends a start. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { identityPrimitives } from '../crypto/node.ts';
import { MAX_MEMORY_BYTES, readMemory } from '../mesh/index.ts';
import { writeFileAtomically } from './atomic-file.ts';

export interface ReadMemoryFile {
  readonly memory?: Uint8Array;
  /** Why what is in the file is not believed. */
  readonly problem?: string;
}

const CONSEQUENCE = 'the other nodes are looked for anew';

export function readMemoryFile(path: string): ReadMemoryFile {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? {} : { problem: `${path} cannot be read (${code}): ${CONSEQUENCE}` };
  }
  try {
    const refusal = refusalOf(file);
    if (refusal !== undefined) return { problem: `${path} ${refusal}: ${CONSEQUENCE}` };
    const memory = new Uint8Array(readFileSync(file));
    if (readMemory(memory, identityPrimitives) !== undefined) return { memory };
    return { problem: `${path} is damaged, or of another version: ${CONSEQUENCE}` };
  } catch (error) {
    return { problem: `${path} cannot be read (${(error as NodeJS.ErrnoException).code}): ${CONSEQUENCE}` };
  } finally {
    closeSync(file);
  }
}

export function writeMemoryFile(path: string, memory: Uint8Array): void {
  writeFileAtomically(path, memory);
}

/** Of the open file, so that what is looked at is what is read. */
function refusalOf(file: number): string | undefined {
  const status = fstatSync(file);
  if (!status.isFile()) return 'is no file';
  if (status.uid !== (process.geteuid?.() ?? 0)) return `belongs to user ${status.uid}, and is not read`;
  if ((status.mode & 0o022) !== 0) return 'can be written by others, and is not read';
  return status.size > MAX_MEMORY_BYTES ? `is larger than ${MAX_MEMORY_BYTES} bytes, and is not read` : undefined;
}
