/** An endpoint in a message, always as long: family (0: none, 4 or 6), 16 bytes of address, port. */
import { addressFromBytes, endpointOf, type Endpoint } from '../inet/index.ts';

const FIELD = { family: 0, address: 1, port: 17, end: 19 } as const;

export const ENDPOINT_BYTES = FIELD.end;

export function writeEndpoint(endpoint: Endpoint | undefined, bytes: Uint8Array, offset: number): void {
  if (endpoint === undefined) return;
  bytes[offset + FIELD.family] = endpoint.address.family;
  bytes.set(endpoint.address.bytes, offset + FIELD.address);
  bytes[offset + FIELD.port] = endpoint.port >>> 8;
  bytes[offset + FIELD.port + 1] = endpoint.port;
}

/** @returns `undefined` where there is none, or of a family of a later version */
export function readEndpoint(view: DataView, offset: number): Endpoint | undefined {
  const family = view.getUint8(offset + FIELD.family);
  const port = view.getUint16(offset + FIELD.port);
  if ((family !== 4 && family !== 6) || port === 0) return undefined;
  const bytes = new Uint8Array(view.buffer, view.byteOffset + offset + FIELD.address, family === 4 ? 4 : 16);
  return endpointOf(addressFromBytes(bytes.slice()), port);
}
