/** On which line of a JSON text the keys of its document stand (of TOML: src/api/toml-positions.ts). */
import type { Positions } from '../../src/api/index.ts';

/** Of a valid JSON document. */
export function jsonPositions(text: string): Positions {
  const positions = new Map<string, number>();
  /** The containers around the place, each with the key or index that is being read in it. */
  const stack: (string | number)[] = [];
  let line = 1;
  let lastString = '""';
  const record = () => positions.set(JSON.stringify(stack), positions.get(JSON.stringify(stack)) ?? line);
  for (const [token] of text.matchAll(/"(?:\\.|[^"\\])*"|[{}[\]:,\n]|[^\s{}[\]:,"]+/g)) {
    const innermost = stack.length - 1;
    const index = stack[innermost];
    if (token === '\n') line++;
    else if (token === ',') stack[innermost] = typeof index === 'number' ? index + 1 : '';
    else if (token === '}' || token === ']') stack.pop();
    else if (token === ':') {
      stack[innermost] = JSON.parse(lastString) as string;
      record();
    } else {
      if (typeof index === 'number') record();
      if (token === '{') stack.push('');
      else if (token === '[') stack.push(0);
      else lastString = token;
    }
  }
  return positions;
}
