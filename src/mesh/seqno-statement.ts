/**
 * What a node signs of its Babel seqno (docs/decisions/0028-signed-seqnos.md). Only the node itself raises it, so whoever
 * announces a newer one than it has signed has made it up.
 *
 *      0          28      30          38
 *     | node id  | seqno | issued at | Ed25519 signature (64 bytes)
 */
import type { IdentityPrimitives } from '../crypto/primitives.ts';
import { domain } from './domain.ts';
import { fromHex, toHex } from './hex.ts';
import { NODE_ID_BYTES, type Identity } from './identity.ts';

const LABEL = domain('wiremesh seqno v1');
const LAYOUT = { nodeId: 0, seqno: NODE_ID_BYTES, issuedAt: NODE_ID_BYTES + 2, signature: NODE_ID_BYTES + 10 } as const;
const SIGNATURE_BYTES = 64;
export const STATEMENT_BYTES = LAYOUT.signature + SIGNATURE_BYTES;

export interface SeqnoStatement {
  readonly nodeId: string;
  readonly seqno: number;
  /** Unix time in milliseconds, or more: it grows with every statement of a node, whatever its clock does. */
  readonly issuedAt: number;
  readonly signature: Uint8Array;
}

type Content = Omit<SeqnoStatement, 'signature'>;

/** `tag`: of the mesh that the statement is for. */
export function signSeqno(
  { seqno, issuedAt }: Pick<Content, 'seqno' | 'issuedAt'>,
  tag: Uint8Array,
  { nodeId, seed }: Pick<Identity, 'nodeId' | 'seed'>,
  { sign }: Pick<IdentityPrimitives, 'sign'>,
): SeqnoStatement {
  const content = { nodeId, seqno, issuedAt };
  return { ...content, signature: sign(seed, signedMessage(content, tag)) };
}

export function isSignedBy(
  identityKey: Uint8Array,
  statement: SeqnoStatement,
  tag: Uint8Array,
  { verify }: Pick<IdentityPrimitives, 'verify'>,
): boolean {
  return verify(identityKey, signedMessage(statement, tag), statement.signature);
}

export function writeStatement(statement: SeqnoStatement, bytes: Uint8Array, offset: number): void {
  bytes.set(contentBytes(statement), offset);
  bytes.set(statement.signature, offset + LAYOUT.signature);
}

/** Reads what `writeStatement` wrote. Checks no signature. */
export function readStatement(bytes: Uint8Array, offset: number): SeqnoStatement | undefined {
  if (offset + STATEMENT_BYTES > bytes.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, STATEMENT_BYTES);
  const issuedAt = Number(view.getBigUint64(LAYOUT.issuedAt));
  if (!Number.isSafeInteger(issuedAt)) return undefined;
  const nodeId = toHex(bytes.subarray(offset, offset + NODE_ID_BYTES));
  const signature = bytes.slice(offset + LAYOUT.signature, offset + STATEMENT_BYTES);
  return { nodeId, seqno: view.getUint16(LAYOUT.seqno), issuedAt, signature };
}

function signedMessage(content: Content, tag: Uint8Array): Uint8Array {
  return Uint8Array.of(...LABEL, ...tag, ...contentBytes(content));
}

function contentBytes({ nodeId, seqno, issuedAt }: Content): Uint8Array {
  const bytes = new Uint8Array(LAYOUT.signature);
  const view = new DataView(bytes.buffer);
  bytes.set(fromHex(nodeId), LAYOUT.nodeId);
  view.setUint16(LAYOUT.seqno, seqno);
  view.setBigUint64(LAYOUT.issuedAt, BigInt(issuedAt));
  return bytes;
}
