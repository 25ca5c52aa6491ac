/**
 * What a node keeps of others across restarts, as a file: 28 bytes of SHA-224, then a CBOR map (RFC 8949). The digest tells a
 * damaged file; that it is our own, its owner and its place tell. Descriptions in it carry their own signatures.
 */
import { decode, encode, rfc8949EncodeOptions } from 'cborg';
import type { IdentityPrimitives } from '../../crypto/primitives.ts';
import { addressFromBytes, bytesEqual, endpointOf, isLinkLocal, type Endpoint } from '../../inet/index.ts';
import { MAX_DESCRIPTION_BYTES, MAX_SEQUENCE } from '../description.ts';
import { fromHex, toHex } from '../hex.ts';
import { NODE_ID_BYTES } from '../identity.ts';

/** Of a file. Beyond it, only the sequence numbers of nodes are kept. */
export const MAX_MEMORY_BYTES = 8 * 1024 * 1024;
const MAX_REMEMBERED = 16_384;
const MAX_ENDPOINTS = 4;
const MAX_CALLED = 16;
const VERSION = 1;
const DIGEST_BYTES = 28;
const KEY = { version: 1, meshName: 2, nodes: 3, called: 4 } as const;
/** For a node without its description, 28 bytes of node id and nine of a number among them. */
const BARE_ENTRY_BYTES = 48;
const ENDPOINT_BYTES = 24;

export interface RememberedNode {
  readonly nodeId: string;
  /** Nothing older is believed. */
  readonly sequence: number;
  /** As it was signed; left out where there was no room. */
  readonly description: Uint8Array | undefined;
  /** Where it has answered, the latest first. */
  readonly endpoints: readonly Endpoint[];
}

export interface Memory {
  readonly meshName: string;
  /** The most important first. */
  readonly nodes: readonly RememberedNode[];
  /** Bootstrap endpoints that somebody answered at. */
  readonly called: readonly Endpoint[];
}

type Digest = Pick<IdentityPrimitives, 'sha224'>;

export function writeMemory({ meshName, nodes, called }: Memory, { sha224 }: Digest): Uint8Array {
  let room = MAX_MEMORY_BYTES - MAX_REMEMBERED * BARE_ENTRY_BYTES - 4096;
  const entries = nodes.slice(0, MAX_REMEMBERED).map(({ nodeId, sequence, description, endpoints }) => {
    const some = endpoints.filter(isWorthKeeping).slice(0, MAX_ENDPOINTS);
    room -= (description?.length ?? 0) + some.length * ENDPOINT_BYTES;
    const isWhole = room >= 0 && description !== undefined;
    return [fromHex(nodeId), sequence, isWhole ? description : null, room >= 0 ? some.map(endpointItem) : []];
  });
  const map = new Map<number, unknown>([
    [KEY.version, VERSION],
    [KEY.meshName, meshName],
    [KEY.nodes, entries],
    [KEY.called, called.filter(isWorthKeeping).slice(0, MAX_CALLED).map(endpointItem)],
  ]);
  const payload = encode(map, rfc8949EncodeOptions);
  return joined(sha224(payload), payload);
}

/** Reads what `writeMemory` wrote. @returns `undefined` if it is damaged, or of another version */
export function readMemory(bytes: Uint8Array, { sha224 }: Digest): Memory | undefined {
  const payload = bytes.subarray(DIGEST_BYTES);
  if (bytes.length > MAX_MEMORY_BYTES || !bytesEqual(sha224(payload), bytes.subarray(0, DIGEST_BYTES)))
    return undefined;
  const map = decodedMap(payload);
  if (map?.get(KEY.version) !== VERSION) return undefined;
  const meshName = map.get(KEY.meshName);
  const nodes = listOf(map.get(KEY.nodes), readNode);
  const called = listOf(map.get(KEY.called), readEndpoint);
  if (typeof meshName !== 'string' || nodes === undefined || called === undefined) return undefined;
  return { meshName, nodes, called };
}

function joined(head: Uint8Array, tail: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(head.length + tail.length);
  bytes.set(head);
  bytes.set(tail, head.length);
  return bytes;
}

function decodedMap(payload: Uint8Array): ReadonlyMap<unknown, unknown> | undefined {
  try {
    const map: unknown = decode(payload, { useMaps: true, strict: true, rejectDuplicateMapKeys: true });
    return map instanceof Map ? map : undefined;
  } catch {
    return undefined;
  }
}

function listOf<T>(list: unknown, read: (element: unknown) => T | undefined): T[] | undefined {
  if (!Array.isArray(list) || list.length > MAX_REMEMBERED) return undefined;
  const elements = list.map(read);
  return elements.includes(undefined) ? undefined : (elements as T[]);
}

function readNode(element: unknown): RememberedNode | undefined {
  if (!Array.isArray(element) || element.length < 4) return undefined;
  const [id, sequence, description, list] = element as unknown[];
  const endpoints = listOf(list, readEndpoint);
  if (!(id instanceof Uint8Array) || id.length !== NODE_ID_BYTES || endpoints === undefined) return undefined;
  if (!Number.isSafeInteger(sequence) || (sequence as number) < 0 || (sequence as number) > MAX_SEQUENCE)
    return undefined;
  const isDescribed = description instanceof Uint8Array && description.length <= MAX_DESCRIPTION_BYTES;
  if (!isDescribed && description !== null) return undefined;
  const kept = isDescribed ? description : undefined;
  return { nodeId: toHex(id), sequence: sequence as number, description: kept, endpoints };
}

function readEndpoint(element: unknown): Endpoint | undefined {
  if (!Array.isArray(element)) return undefined;
  const [bytes, port] = element as unknown[];
  if (!(bytes instanceof Uint8Array) || (bytes.length !== 4 && bytes.length !== 16)) return undefined;
  if (!Number.isInteger(port) || (port as number) < 1 || (port as number) > 65_535) return undefined;
  return endpointOf(addressFromBytes(bytes), port as number);
}

/** The index of a link may be another's after a restart; who is on a link is found by beacons. */
function isWorthKeeping({ address }: Endpoint): boolean {
  return !isLinkLocal(address);
}

function endpointItem({ address, port }: Endpoint): [Uint8Array, number] {
  return [address.bytes, port];
}
