/**
 * Domain separation: what is hashed or signed for one purpose begins with that purpose's label, so that it can never
 * be taken for anything else made with the same key. The closing zero byte keeps one label from continuing another.
 */
export function domain(label: string): Uint8Array {
  return Uint8Array.from([...label].map((letter) => letter.charCodeAt(0)).concat(0));
}
