const MAX_CHARACTERS = 63;

/**
 * A host name fit for terminals and logs. Others choose theirs freely, so control characters, text direction marks,
 * invisible characters and blanks become `?`, and what is too long is cut.
 */
export function printableHostName(text: string): string {
  const characters = Array.from(text, (character) => (/[\p{L}\p{N}\p{P}\p{S}]/u.test(character) ? character : '?'));
  return characters.slice(0, MAX_CHARACTERS).join('') || '?';
}
