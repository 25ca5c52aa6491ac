/**
 * Keyed BLAKE2s with 16 bytes of result (RFC 7693 §2.5): WireGuard's mac1, mac2 and cookie. Everybody who can send a
 * datagram makes us compute one, so it is worth being fast: 0.5 µs for 116 bytes by Node's own OpenSSL through FFI,
 * 7 µs by @noble/hashes, which serves where there is no such OpenSSL. node:crypto offers no keyed BLAKE2s.
 */
import { blake2s } from '@noble/hashes/blake2.js';
import koffi from 'koffi';

export type Mac = (key: Uint8Array, ...parts: Uint8Array[]) => Uint8Array;

const MAC_BYTES = 16;
const LONGEST_KEY = 32;
/** Longer messages than WireGuard's go to @noble/hashes. */
const LONGEST_MESSAGE = 256;

/** `OSSL_PARAM` (openssl OSSL_PARAM(3)), in bytes, on a 64-bit machine: two of them, the second ends the list. */
const PARAM = { key: 0, type: 8, value: 16, valueBytes: 24, returned: 32, end: 40 } as const;
const UNSIGNED_INTEGER = 2;

/** What OpenSSL reads and writes, at addresses that do not change. Calls are synchronous, so one is enough. */
const MEMORY = { key: 0, message: 32, result: 288, written: 304, name: 312, size: 320, params: 328, end: 408 } as const;

/** The fastest that works in this process. */
export function chooseMac(): Mac {
  try {
    const mac = openSslMac();
    return isRight(mac) ? mac : nobleMac;
  } catch {
    return nobleMac;
  }
}

/** Works with every build of Node. */
export const nobleMac: Mac = (key, ...parts) => {
  const hash = blake2s.create({ key, dkLen: MAC_BYTES });
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** @throws Error where this Node does not export an OpenSSL 3 with BLAKE2s */
export function openSslMac(): Mac {
  const library = koffi.load(null);
  const fetch = library.func('uintptr_t EVP_MAC_fetch(uintptr_t, const char *, const char *)');
  const contextNew = library.func('uintptr_t EVP_MAC_CTX_new(uintptr_t)');
  const init = library.func('int EVP_MAC_init(uintptr_t, uintptr_t, size_t, uintptr_t)');
  const update = library.func('int EVP_MAC_update(uintptr_t, uintptr_t, size_t)');
  const final = library.func('int EVP_MAC_final(uintptr_t, uintptr_t, uintptr_t, size_t)');
  const algorithm = Number(fetch(0, 'BLAKE2SMAC', null));
  const context = algorithm === 0 ? 0 : Number(contextNew(algorithm));
  if (context === 0) throw new Error('OpenSSL has no BLAKE2s');
  const memory = new Uint8Array(new ArrayBuffer(MEMORY.end));
  const at = Number(koffi.address(memory.buffer));
  writeSizeParameter(memory, at);

  return (key, ...parts) => {
    let length = 0;
    for (const part of parts) length += part.length;
    if (length > LONGEST_MESSAGE || key.length === 0 || key.length > LONGEST_KEY) return nobleMac(key, ...parts);
    memory.set(key, MEMORY.key);
    let end: number = MEMORY.message;
    for (const part of parts) {
      memory.set(part, end);
      end += part.length;
    }
    const isDone =
      init(context, at + MEMORY.key, key.length, at + MEMORY.params) === 1 &&
      update(context, at + MEMORY.message, length) === 1 &&
      final(context, at + MEMORY.result, at + MEMORY.written, MAC_BYTES) === 1;
    memory.fill(0, MEMORY.key, MEMORY.message);
    return isDone ? memory.slice(MEMORY.result, MEMORY.result + MAC_BYTES) : nobleMac(key, ...parts);
  };
}

/** The list of parameters that says how long the result is. */
function writeSizeParameter(memory: Uint8Array, address: number): void {
  const view = new DataView(memory.buffer);
  new TextEncoder().encodeInto('size\0', memory.subarray(MEMORY.name));
  view.setBigUint64(MEMORY.size, BigInt(MAC_BYTES), true);
  view.setBigUint64(MEMORY.params + PARAM.key, BigInt(address + MEMORY.name), true);
  view.setUint32(MEMORY.params + PARAM.type, UNSIGNED_INTEGER, true);
  view.setBigUint64(MEMORY.params + PARAM.value, BigInt(address + MEMORY.size), true);
  view.setBigUint64(MEMORY.params + PARAM.valueBytes, 8n, true);
  view.setBigUint64(MEMORY.params + PARAM.returned, 0xffff_ffff_ffff_ffffn, true);
}

function isRight(mac: Mac): boolean {
  const key = Uint8Array.from({ length: LONGEST_KEY }, (_, i) => i);
  const message = Uint8Array.from({ length: 100 }, (_, i) => i);
  return mac(key, message).every((byte, i) => byte === nobleMac(key, message)[i]);
}
