/**
 * OpenSSL's own functions, below its public interface (docs/decisions/0011-openssl-internals.md): raw bytes in, raw
 * bytes out, no object to make. Node's official builds export them. Nobody promises that they stay as they are, so
 * they are used with the major version they were written for, and only after a known answer.
 */
import koffi, { type LibraryHandle } from 'koffi';
import { WiremeshError } from '../error.ts';

/** This process has no OpenSSL whose internal functions could be called. */
export class OpenSslInternalsError extends WiremeshError {
  readonly code = 'OPENSSL_INTERNALS';
}

/** @throws OpenSslInternalsError */
export function openSslInternals(): LibraryHandle {
  const { openssl } = process.versions;
  if (!openssl.startsWith('3.')) throw new OpenSslInternalsError(`OpenSSL ${openssl} is not known from inside`);
  return koffi.load(null);
}
