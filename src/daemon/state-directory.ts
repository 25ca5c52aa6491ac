import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  rmdirSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { WiremeshError } from '../error.ts';
import { lockFile } from '../linux/index.ts';
import { writeFileAtomically } from './atomic-file.ts';
import { readKeyFile, writeKeyFile } from './key-file.ts';
import { readMemoryFile, writeMemoryFile, type ReadMemoryFile } from './memory-file.ts';
import { makeDirectory } from './make-directory.ts';

/** The state directory cannot be used. */
export class StateDirectoryError extends WiremeshError {
  readonly code = 'STATE_DIRECTORY';
}

const REMEDIES: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full, make room',
  EDQUOT: 'the disk quota is used up, make room',
  EISDIR: 'it is a directory, move it away',
  ENOTDIR: 'it is no directory, move it away or choose another with --state-dir',
};
const DEFAULT_REMEDY = 'choose another directory with --state-dir';

/** What a node keeps across restarts: its keys, its numbers, and what it knows of others. */
export class StateDirectory {
  readonly path: string;
  readonly #lock: number;
  readonly #isNew: boolean;

  /** Opens the directory, made if need be, and locks it until `close` or the end of the process. */
  static open(named: string): StateDirectory {
    // A slash at the end would have a link followed.
    const path = resolve(named);
    const { lock, isNew } = openDirectory(path);
    // Of two daemons with one identity each would take the other's description for a replay of its own.
    if (!lockFile(lock)) {
      closeSync(lock);
      throw new StateDirectoryError(
        `${path} is in use by another wiremesh daemon: stop it, or choose another with --state-dir`,
      );
    }
    return new StateDirectory(path, lock, isNew);
  }

  private constructor(path: string, lock: number, isNew: boolean) {
    this.path = path;
    this.#lock = lock;
    this.#isNew = isNew;
  }

  readKey(name: KeyName): Uint8Array | undefined {
    return readKeyFile(this.#file(`${name}.key`));
  }

  storeKey(name: KeyName, key: Uint8Array): void {
    this.#attempt(`${name}.key`, 'written', (file) => writeKeyFile(file, key));
  }

  /** The stored sequence number, 0 if there is none or none that makes sense: the clock then gives a higher one. */
  readSequence(): number {
    return this.#readNumber('sequence') ?? 0;
  }

  storeSequence(sequence: number): void {
    this.#storeNumber('sequence', sequence);
  }

  /** The stored Babel seqno, `undefined` if there is none or none that makes sense: the clock then gives a likely one. */
  readSeqno(): number | undefined {
    const seqno = this.#readNumber('seqno');
    return seqno === undefined || seqno > 0xffff ? undefined : seqno;
  }

  storeSeqno(seqno: number): void {
    this.#storeNumber('seqno', seqno);
  }

  /** What was known of other nodes. */
  readMemory(): ReadMemoryFile {
    return readMemoryFile(this.#file('nodes'));
  }

  storeMemory(memory: Uint8Array): void {
    this.#attempt('nodes', 'written', (file) => writeMemoryFile(file, memory));
  }

  close(): void {
    if (this.#isNew) {
      try {
        // A start that failed before it had anything to keep leaves no directory behind.
        rmdirSync(this.path);
      } catch {
        // There is something to keep.
      }
    }
    closeSync(this.#lock);
  }

  #readNumber(name: string): number | undefined {
    return this.#attempt(name, 'read', (file) => {
      const text = existsSync(file) ? readFileSync(file, 'latin1') : '';
      return /^\d{1,15}\n$/.test(text) ? Number(text) : undefined;
    });
  }

  #storeNumber(name: string, value: number): void {
    this.#attempt(name, 'written', (file) => writeFileAtomically(file, `${value}\n`));
  }

  #file(name: string): string {
    return join(this.path, name);
  }

  /** @throws StateDirectoryError where the file system refuses */
  #attempt<T>(name: string, what: 'read' | 'written', act: (file: string) => T): T {
    const file = this.#file(name);
    try {
      return act(file);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (error instanceof WiremeshError || code === undefined) throw error;
      throw new StateDirectoryError(`${file} cannot be ${what} (${code}): ${REMEDIES[code] ?? DEFAULT_REMEDY}`);
    }
  }
}

/** @returns the descriptor of a directory that nobody but this user has any right to. @throws StateDirectoryError */
function openDirectory(path: string): { lock: number; isNew: boolean } {
  try {
    const isNew = makeDirectory(path, 0o700);
    // Where the link leads could be another directory each time that a file in it is opened.
    if (lstatSync(path).isSymbolicLink()) {
      throw new StateDirectoryError(`${path} is a symbolic link: name the directory itself with --state-dir`);
    }
    const lock = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      // A umask may have taken rights of ours away; it cannot have given any to others.
      if (isNew) fchmodSync(lock, 0o700);
      checkOwner(path, lock);
    } catch (error) {
      closeSync(lock);
      throw error;
    }
    return { lock, isNew };
  } catch (error) {
    if (error instanceof WiremeshError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    const remedy = REMEDIES[code ?? ''] ?? 'choose another with --state-dir';
    throw new StateDirectoryError(`${path} cannot be used as state directory (${code}): ${remedy}`);
  }
}

/** Looks at the open directory, so that what is checked is what is locked. */
function checkOwner(path: string, directory: number): void {
  const { uid, mode } = fstatSync(directory);
  const user = process.geteuid?.() ?? 0;
  if (uid !== user) {
    throw new StateDirectoryError(
      `${path} belongs to user ${uid}, who could put keys of his own there: run "chown ${user} ${path}" if what is in ` +
        'it is to be trusted, or choose another with --state-dir',
    );
  }
  if ((mode & 0o077) !== 0) {
    throw new StateDirectoryError(`${path} is open to others than its owner: run "chmod 700 ${path}"`);
  }
}

export type KeyName = 'identity' | 'wireguard';
