/**
 * What a node says of itself: 64 bytes of Ed25519 signature, then a CBOR map with small integers as keys in
 * deterministic encoding (RFC 8949 §4.2.1). The signature covers a label and the map's bytes, unknown keys included, so
 * that a later version can add fields which this one carries along. Whatever is wrong with one is a `DescriptionDrop`.
 */
import { decode, encode, rfc8949EncodeOptions } from 'cborg';
import type { IdentityPrimitives } from '../crypto/primitives.ts';
import {
  addressFromBytes,
  bytesEqual,
  endpointOf,
  prefixOf,
  type Endpoint,
  type IpAddress,
  type Prefix,
} from '../inet/index.ts';
import { after, millis, type Millis } from '../machine/index.ts';
import { printableHostName } from '../printable.ts';
import { isWithinBounds } from './cbor-bounds.ts';
import { domain } from './domain.ts';
import { IDENTITY_KEY_BYTES, identityOfKey, type Identity } from './identity.ts';
import { isKeyProved, KEY_PROOF_BYTES } from './key-proof.ts';

export const MAX_DESCRIPTION_BYTES = 4096;
/** Of the descriptions we sign. */
export const DESCRIPTION_LIFE: Millis = millis(24 * 3600 * 1000);
/**
 * Nobody's description is believed further into the future than this: it bounds what a lost key is worth, and leaves
 * room for clocks that disagree.
 */
export const MAX_LIFE: Millis = millis(7 * 24 * 3600 * 1000);
/** Far above Unix time in milliseconds and far below 2^53: there is always a next sequence number. */
export const MAX_SEQUENCE = 2 ** 52;
export const MAX_ENDPOINTS = 16;
export const MAX_NETWORKS = 64;
const MAX_CAPABILITIES = 32;
const MAX_HOST_NAME_LENGTH = 255;
const SIGNATURE_BYTES = 64;
const WIREGUARD_KEY_BYTES = 32;
const FORMAT_VERSION = 2;
const LABEL = domain('wiremesh description v1');

/** The keys of the map. A number is never used again for something else. */
const KEY = {
  version: 1,
  meshName: 2,
  identityKey: 3,
  wireGuardKey: 4,
  sequence: 5,
  issuedAt: 6,
  expiresAt: 7,
  hostName: 8,
  endpoints: 9,
  networks: 10,
  capabilities: 11,
  membershipCertificate: 12,
  wireGuardKeyProof: 13,
} as const;

const ENDPOINT_KIND = { interface: 1, configured: 2 } as const;

export interface DescribedEndpoint {
  readonly endpoint: Endpoint;
  /** `interface`: an address of one of its interfaces; `configured`: its administrator named it. */
  readonly kind: keyof typeof ENDPOINT_KIND;
}

export interface OfferedNetwork {
  readonly prefix: Prefix;
  readonly kind: number;
  readonly preference: number;
}

/** What the owner of an identity decides about its description. */
export interface DescriptionContent {
  readonly meshName: string;
  readonly wireGuardPublicKey: Uint8Array;
  /** See key-proof.ts. */
  readonly wireGuardKeyProof: Uint8Array;
  readonly sequence: number;
  /** Unix time, as `expiresAt`. */
  readonly issuedAt: Millis;
  readonly expiresAt: Millis;
  /** Printable, whoever wrote it; not to be believed. */
  readonly hostName: string;
  readonly endpoints: readonly DescribedEndpoint[];
  readonly networks: readonly OfferedNetwork[];
  readonly capabilities: readonly (string | number)[];
  readonly membershipCertificate?: Uint8Array;
}

/** A description whose signature is right. */
export interface Description extends DescriptionContent {
  readonly nodeId: string;
  readonly address: IpAddress;
  readonly identityKey: Uint8Array;
  /** As it was signed: what others get to see of it. */
  readonly bytes: Uint8Array;
}

export type DescriptionDrop =
  | 'description-oversized'
  | 'description-malformed'
  | 'description-not-canonical'
  | 'description-unknown-version'
  | 'description-foreign-mesh'
  | 'description-contradicts-itself'
  | 'description-weak-identity'
  | 'description-wrong-signature'
  | 'description-key-not-proved'
  | 'description-expired'
  | 'description-expires-too-late';

/** @throws RangeError if `content` does not fit into a description */
export function signDescription(
  content: DescriptionContent,
  identity: Identity,
  primitives: IdentityPrimitives,
): Description {
  const hostName = printableHostName(content.hostName);
  const map = new Map<number, unknown>([
    [KEY.version, FORMAT_VERSION],
    [KEY.meshName, content.meshName],
    [KEY.identityKey, identity.publicKey],
    [KEY.wireGuardKey, content.wireGuardPublicKey],
    [KEY.sequence, content.sequence],
    [KEY.issuedAt, content.issuedAt],
    [KEY.expiresAt, content.expiresAt],
    [KEY.hostName, hostName],
    [KEY.endpoints, content.endpoints.map((e) => [e.endpoint.address.bytes, e.endpoint.port, ENDPOINT_KIND[e.kind]])],
    [KEY.networks, content.networks.map((n) => [n.prefix.address.bytes, n.prefix.length, n.kind, n.preference])],
    [KEY.capabilities, content.capabilities],
    [KEY.wireGuardKeyProof, content.wireGuardKeyProof],
  ]);
  if (content.membershipCertificate !== undefined) map.set(KEY.membershipCertificate, content.membershipCertificate);
  const payload = encode(map, rfc8949EncodeOptions);
  const bytes = new Uint8Array(SIGNATURE_BYTES + payload.length);
  if (bytes.length > MAX_DESCRIPTION_BYTES) throw new RangeError(`a description of ${bytes.length} bytes is too large`);
  bytes.set(primitives.sign(identity.seed, signedMessage(payload)));
  bytes.set(payload, SIGNATURE_BYTES);
  const { nodeId, address, publicKey: identityKey } = identity;
  return { ...content, hostName, nodeId, address, identityKey, bytes };
}

/** Reads a description from the network. Cheap checks come first; nothing is believed before the last one. */
export function readDescription(
  bytes: Uint8Array,
  meshName: string,
  primitives: IdentityPrimitives,
  unixNow: Millis,
): Description | DescriptionDrop {
  if (bytes.length > MAX_DESCRIPTION_BYTES) return 'description-oversized';
  const payload = bytes.subarray(SIGNATURE_BYTES);
  const map = readCanonicalMap(payload);
  if (typeof map === 'string') return map;
  if (map.get(KEY.version) !== FORMAT_VERSION) return 'description-unknown-version';
  if (map.get(KEY.meshName) !== meshName) return 'description-foreign-mesh';
  const content = readContent(map, meshName);
  const identityKey = map.get(KEY.identityKey);
  if (content === undefined || !isBytes(identityKey, IDENTITY_KEY_BYTES)) return 'description-malformed';
  if (contradictsItself(content)) return 'description-contradicts-itself';
  if (!primitives.isStrictEd25519PublicKey(identityKey)) return 'description-weak-identity';
  const signature = bytes.subarray(0, SIGNATURE_BYTES);
  if (!primitives.verify(identityKey, signedMessage(payload), signature)) return 'description-wrong-signature';
  if (!isKeyProved(content, identityKey, primitives)) return 'description-key-not-proved';
  if (content.expiresAt <= unixNow) return 'description-expired';
  if (content.expiresAt > after(unixNow, MAX_LIFE)) return 'description-expires-too-late';
  const { nodeId, address } = identityOfKey(identityKey, primitives);
  return { ...content, nodeId, address, identityKey, bytes };
}

function contradictsItself({ issuedAt, expiresAt, sequence }: DescriptionContent): boolean {
  return expiresAt <= issuedAt || sequence > MAX_SEQUENCE;
}

function signedMessage(payload: Uint8Array): Uint8Array {
  const message = new Uint8Array(LABEL.length + payload.length);
  message.set(LABEL);
  message.set(payload, LABEL.length);
  return message;
}

function readCanonicalMap(payload: Uint8Array): ReadonlyMap<unknown, unknown> | DescriptionDrop {
  if (!isWithinBounds(payload)) return 'description-malformed';
  try {
    const map: unknown = decode(payload, { useMaps: true, strict: true, rejectDuplicateMapKeys: true });
    if (!(map instanceof Map)) return 'description-malformed';
    // One content has one form: otherwise a relay could make many that differ in bytes and not in meaning.
    return bytesEqual(encode(map, rfc8949EncodeOptions), payload) ? map : 'description-not-canonical';
  } catch {
    return 'description-malformed';
  }
}

function readContent(map: ReadonlyMap<unknown, unknown>, meshName: string): DescriptionContent | undefined {
  const wireGuardPublicKey = map.get(KEY.wireGuardKey);
  const sequence = map.get(KEY.sequence);
  const issuedAt = map.get(KEY.issuedAt);
  const expiresAt = map.get(KEY.expiresAt);
  const hostName = map.get(KEY.hostName);
  const endpoints = readList(map.get(KEY.endpoints), MAX_ENDPOINTS, readEndpoint);
  const networks = readList(map.get(KEY.networks), MAX_NETWORKS, readNetwork);
  const capabilities = readList(map.get(KEY.capabilities), MAX_CAPABILITIES, readCapability);
  const membershipCertificate = map.get(KEY.membershipCertificate);
  const wireGuardKeyProof = map.get(KEY.wireGuardKeyProof);
  if (!isBytes(wireGuardPublicKey, WIREGUARD_KEY_BYTES) || !isBytes(wireGuardKeyProof, KEY_PROOF_BYTES)) return;
  if (!isCount(sequence) || !isCount(issuedAt) || !isCount(expiresAt)) return;
  if (typeof hostName !== 'string' || hostName.length > MAX_HOST_NAME_LENGTH) return;
  if (endpoints === undefined || networks === undefined || capabilities === undefined) return;
  if (membershipCertificate !== undefined && !(membershipCertificate instanceof Uint8Array)) return;
  return {
    meshName,
    wireGuardPublicKey,
    wireGuardKeyProof,
    sequence,
    issuedAt: millis(issuedAt),
    expiresAt: millis(expiresAt),
    hostName: printableHostName(hostName),
    endpoints: endpoints.filter((endpoint) => endpoint !== 'unknown-kind'),
    networks,
    capabilities,
    ...(membershipCertificate !== undefined && { membershipCertificate }),
  };
}

/** A list all of whose elements `read` accepts, or `undefined`. */
function readList<T>(list: unknown, most: number, read: (element: unknown) => T | undefined): T[] | undefined {
  if (!Array.isArray(list) || list.length > most) return undefined;
  const elements = list.map(read);
  return elements.includes(undefined) ? undefined : (elements as T[]);
}

/** Kinds of a later version are passed over, not refused. */
function readEndpoint(element: unknown): DescribedEndpoint | 'unknown-kind' | undefined {
  if (!Array.isArray(element) || element.length < 3) return undefined;
  const [bytes, port, number] = element as unknown[];
  if (!isIpBytes(bytes) || !isCount(port) || port === 0 || port > 65535 || !isCount(number)) return undefined;
  const endpoint = endpointOf(addressFromBytes(bytes), port);
  if (number === ENDPOINT_KIND.interface) return { endpoint, kind: 'interface' };
  return number === ENDPOINT_KIND.configured ? { endpoint, kind: 'configured' } : 'unknown-kind';
}

function readNetwork(element: unknown): OfferedNetwork | undefined {
  if (!Array.isArray(element) || element.length < 4) return undefined;
  const [bytes, length, kind, preference] = element as unknown[];
  if (!isIpBytes(bytes) || !isCount(length) || length > bytes.length * 8) return undefined;
  if (!isCount(kind) || !isCount(preference)) return undefined;
  return { prefix: prefixOf(addressFromBytes(bytes), length), kind, preference };
}

function readCapability(element: unknown): string | number | undefined {
  return typeof element === 'string' || isCount(element) ? element : undefined;
}

function isBytes(value: unknown, length: number): value is Uint8Array {
  return value instanceof Uint8Array && value.length === length;
}

function isIpBytes(value: unknown): value is Uint8Array {
  return isBytes(value, 4) || isBytes(value, 16);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
