/** In a message: that there is a description of a node with a sequence number. Integers are in network order. */
import { fromHex, toHex } from './hex.ts';
import { NODE_ID_BYTES } from './identity.ts';

/** That a node has a description with this sequence number. */
export interface News {
  readonly nodeId: string;
  readonly sequence: number;
}

const NEWS = { nodeId: 0, sequence: 28, end: 36 } as const;

export const NEWS_BYTES = NEWS.end;

export function writeNews(news: News, bytes: Uint8Array, view: DataView, offset: number): void {
  bytes.set(fromHex(news.nodeId), offset + NEWS.nodeId);
  view.setBigUint64(offset + NEWS.sequence, BigInt(news.sequence));
}

export function readNews(view: DataView, offset: number): News | undefined {
  if (view.byteLength < offset + NEWS_BYTES) return undefined;
  const sequence = readSequence(view, offset + NEWS.sequence);
  return sequence === undefined ? undefined : { nodeId: readNodeId(view, offset + NEWS.nodeId), sequence };
}

export function readNodeId(view: DataView, offset: number): string {
  return toHex(new Uint8Array(view.buffer, view.byteOffset + offset, NODE_ID_BYTES));
}

export function readSequence(view: DataView, offset: number): number | undefined {
  const sequence = Number(view.getBigUint64(offset));
  return Number.isSafeInteger(sequence) ? sequence : undefined;
}
