/**
 * Text that others chose, fit for a terminal and a log: nodes choose their names, and whoever runs a command its
 * arguments. Names are made fit where they enter (descriptions), everything again where it leaves (terminal, log).
 */

/**
 * What may move the cursor, end a line, turn the writing direction, or be there unseen: control characters (C0, C1),
 * formats such as bidi overrides and joiners, lone surrogates, what is not assigned, separators but the space, and
 * letters that are blank. U+FFFD is what bytes that are no UTF-8 have become.
 */
const UNFIT = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800\ufffd]|(?! )\p{Zs}/u;
/** Marks are stacked on what stands before them: two are what the scripts of people need, a flood covers other lines. */
const EXCESS_MARK = /(?<=\p{M}\p{M}|^)\p{M}/u;
const UNFIT_ANYWHERE = new RegExp(`${UNFIT.source}|${EXCESS_MARK.source}`, 'gu');

export const MAX_HOST_NAME_CHARACTERS = 64;
/** 32 bits of a node id tell apart what stands side by side; they prove nothing. */
const SHORT_ID_DIGITS = 8;

/** One line, with `?` for each character that is not fit to be shown. */
export function printable(text: string): string {
  return text.replace(UNFIT_ANYWHERE, '?');
}

/** A host name as it is shown everywhere: printable, without blanks, not empty, and cut where it is too long. */
export function printableHostName(text: string): string {
  const characters = Array.from(printable(text.slice(0, 4 * MAX_HOST_NAME_CHARACTERS)).replaceAll(' ', '?'));
  return characters.slice(0, MAX_HOST_NAME_CHARACTERS).join('') || '?';
}

/** JSON with escapes for what `printable` replaces: the same document, fit for a terminal. Line ends between values stay. */
export function printableJson(json: string): string {
  return json.replace(/(?!\n)[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu, (character) =>
    Array.from({ length: character.length }, (_, i) => escapeOf(character.charCodeAt(i))).join(''),
  );
}

/** A node as a line of words names it. Names are not unique, and a bad node takes that of a good one. */
export function nodeLabel({ hostName, nodeId }: { readonly hostName: string; readonly nodeId: string }): string {
  return `${hostName} (${nodeId.slice(0, SHORT_ID_DIGITS)})`;
}

function escapeOf(codeUnit: number): string {
  return `\\u${codeUnit.toString(16).padStart(4, '0')}`;
}
