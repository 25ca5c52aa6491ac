import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { lineOf, tomlPositions, type KeyPath } from './toml-positions.ts';

const TEXT = `mesh = "home"

[[network]]
prefix = "::/0"
[[network]]
  "prefix" = "0.0.0.0/0"
from = [
  "a",
]
`;

describe('the line of a key in TOML', () => {
  const positions = tomlPositions(TEXT);
  const cases: [what: string, path: KeyPath, line: number | undefined][] = [
    ['at the top level', ['mesh'], 1],
    ['in a table of a list', ['network', 0, 'prefix'], 4],
    ['in the next table of the list, quoted', ['network', 1, 'prefix'], 6],
    ['of an element is that of its list', ['network', 1, 'from', 0], 7],
    ['that is missing is that of its table', ['network', 1, 'preference'], 5],
    ['of no table is unknown', ['import', 0, 'from'], undefined],
  ];
  for (const [what, path, line] of cases) it(what, () => assert.equal(lineOf(positions, path), line));
});
