import { WiremeshError } from '../error.ts';

/** OpenSSL cannot be called directly in this process. */
export class OpenSslUnavailableError extends WiremeshError {
  readonly code = 'OPENSSL_UNAVAILABLE';
}

/** OpenSSL refused to encrypt or to take a key; nothing was encrypted. */
export class AeadFailedError extends WiremeshError {
  readonly code = 'AEAD_FAILED';
}

/** A key was used after `destroy`. */
export class KeyDestroyedError extends WiremeshError {
  readonly code = 'KEY_DESTROYED';
  constructor() {
    super('a transport key was used after it was destroyed');
  }
}
