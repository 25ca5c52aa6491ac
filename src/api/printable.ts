/**
 * Text that others chose (nodes choose their names), fit for a terminal: nothing in it may move the cursor, end the line or
 * turn the writing direction.
 */
export function printable(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?');
}
