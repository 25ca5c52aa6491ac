import { WiremeshError } from '../error.ts';
import type { ClonedError } from './thread-messages.ts';

/** `error`, fit to cross from one thread to another. */
export function clonedError(error: unknown): ClonedError {
  if (error instanceof WiremeshError) return { code: error.code, message: error.message };
  return { code: 'DEVICE', message: error instanceof Error ? error.message : String(error) };
}
