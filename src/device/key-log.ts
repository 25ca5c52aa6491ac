import { appendFileSync, closeSync, constants, fstatSync, openSync } from 'node:fs';
import { WiremeshError } from '../error.ts';
import type { HandshakeSecrets } from '../wireguard/index.ts';

/** The key log's file must not be used, or can no longer be. */
export class KeyLogError extends WiremeshError {
  readonly code = 'KEY_LOG';
}

/**
 * A file with the secrets of handshakes, by which Wireshark reads a capture of the traffic. The format is that of
 * Wireshark's preference `wg.keylog_file`; other programs know it by the variable WG_KEYLOGFILE.
 */
export class KeyLog {
  readonly #path: string;
  readonly #file: number;

  /** Appends to the file, or makes it, for its owner alone. @throws KeyLogError if others could read it */
  constructor(path: string) {
    this.#path = path;
    this.#file = open(path);
    try {
      refuseReaders(this.#file, path);
    } catch (error) {
      closeSync(this.#file);
      throw error;
    }
  }

  /** Wipes `secrets`. They are in the file when this returns. @throws KeyLogError */
  write(secrets: HandshakeSecrets): void {
    try {
      appendFileSync(this.#file, linesOf(secrets));
    } catch (error) {
      throw new KeyLogError(`${this.#path} cannot be written (${codeOf(error)}): the key log ends here`);
    } finally {
      for (const secret of Object.values(secrets) as Uint8Array[]) secret.fill(0);
    }
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** A link may have been put there by others to have us write elsewhere; a pipe without a reader would hold us up. */
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;

function open(path: string): number {
  try {
    return openSync(path, FLAGS, 0o600);
  } catch (error) {
    const why = codeOf(error) === 'ELOOP' ? 'it is a symbolic link' : codeOf(error);
    throw new KeyLogError(`${path} cannot be opened for the key log (${why}): name a file in a folder of your own`);
  }
}

/** Asks the open file, so that what is checked is what is written. */
function refuseReaders(file: number, path: string): void {
  const status = fstatSync(file);
  if (!status.isFile() || status.uid !== process.geteuid?.()) {
    throw new KeyLogError(`${path} is no file of yours, and a key log must be: choose another name for it`);
  }
  if ((status.mode & 0o077) !== 0) {
    throw new KeyLogError(
      `${path} is open to others than its owner, who could read the traffic: run "chmod 600 ${path}"`,
    );
  }
}

/** Wireshark takes a preshared key to be that of the ephemeral key in the line before. */
function linesOf(secrets: HandshakeSecrets): string {
  const lines = [
    `LOCAL_STATIC_PRIVATE_KEY = ${base64(secrets.localStaticPrivateKey)}`,
    `REMOTE_STATIC_PUBLIC_KEY = ${base64(secrets.remoteStaticPublicKey)}`,
    `LOCAL_EPHEMERAL_PRIVATE_KEY = ${base64(secrets.localEphemeralPrivateKey)}`,
  ];
  const hasPresharedKey = secrets.presharedKey.some((byte) => byte !== 0);
  if (hasPresharedKey) lines.push(`PRESHARED_KEY = ${base64(secrets.presharedKey)}`);
  return lines.map((line) => `${line}\n`).join('');
}

function base64(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('base64');
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
