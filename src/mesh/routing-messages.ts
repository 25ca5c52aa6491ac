/** The bodies of the messages that keep Babel honest: signed seqnos, echoes, and complaints about ways without them. */
import { fromHex, toHex } from './hex.ts';
import { NODE_ID_BYTES } from './identity.ts';
import { readStatement, STATEMENT_BYTES, writeStatement, type SeqnoStatement } from './seqno-statement.ts';

/** As many as go into a message of 1,200 bytes. */
export const MAX_STATEMENTS = 11;

/** What nodes have signed of their seqnos. */
export interface SeqnoStatements {
  readonly kind: 'seqno-statements';
  readonly statements: readonly SeqnoStatement[];
}

/** What has the node signed last, as far as the receiver knows? */
export interface SeqnoQuestion {
  readonly kind: 'seqno-question';
  readonly nodeId: string;
}

/** What the sender sends to the node over the receiver does not arrive, it seems: the receiver may see for itself. */
export interface PathComplaint {
  readonly kind: 'path-complaint';
  readonly nodeId: string;
}

/** Whether the receiver is there, whatever the path. */
export interface Echo {
  readonly kind: 'echo-request' | 'echo-reply';
  /** The request's. */
  readonly nonce: bigint;
  /** The sender wants to know whether packets of that length pass, and not whether the receiver is there. */
  readonly isOfLength?: boolean;
  /** Bytes behind it, so that it does not go by its length, or does. */
  readonly padding?: number;
}

export type RoutingMessage = SeqnoStatements | SeqnoQuestion | PathComplaint | Echo;

export const ROUTING_KINDS = [
  'echo-request',
  'echo-reply',
  'seqno-statements',
  'seqno-question',
  'path-complaint',
] as const satisfies readonly RoutingMessage['kind'][];

const NONCE_BYTES = 8;
/** Where the fields of an echo lie; flags that are not there are zero. */
const ECHO = { nonce: 0, flags: NONCE_BYTES, end: NONCE_BYTES + 1 } as const;
const IS_OF_LENGTH = 1;
export const ECHO_BYTES = ECHO.end;

export function lengthOfRoutingMessage(message: RoutingMessage): number {
  if ('nonce' in message) return (message.isOfLength === true ? ECHO.end : ECHO.flags) + (message.padding ?? 0);
  return message.kind === 'seqno-statements' ? message.statements.length * STATEMENT_BYTES : NODE_ID_BYTES;
}

export function writeRoutingMessage(message: RoutingMessage, body: Uint8Array): void {
  if ('nonce' in message) {
    viewOf(body).setBigUint64(ECHO.nonce, message.nonce);
    if (message.isOfLength === true) body[ECHO.flags] = IS_OF_LENGTH;
    return;
  }
  if (message.kind !== 'seqno-statements') return body.set(fromHex(message.nodeId));
  for (const [i, statement] of message.statements.entries()) writeStatement(statement, body, i * STATEMENT_BYTES);
}

export function readRoutingMessage(kind: RoutingMessage['kind'], body: Uint8Array): RoutingMessage | undefined {
  if (kind === 'echo-request' || kind === 'echo-reply') {
    if (body.length < NONCE_BYTES) return undefined;
    const isOfLength = body.length >= ECHO.end && (body[ECHO.flags] & IS_OF_LENGTH) !== 0;
    return { kind, nonce: viewOf(body).getBigUint64(ECHO.nonce), ...(isOfLength && { isOfLength }) };
  }
  if (kind !== 'seqno-statements') {
    return body.length < NODE_ID_BYTES ? undefined : { kind, nodeId: toHex(body.subarray(0, NODE_ID_BYTES)) };
  }
  const statements: SeqnoStatement[] = [];
  for (let at = 0; at < body.length && statements.length < MAX_STATEMENTS; at += STATEMENT_BYTES) {
    const statement = readStatement(body, at);
    if (statement === undefined) return undefined;
    statements.push(statement);
  }
  return { kind, statements };
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
