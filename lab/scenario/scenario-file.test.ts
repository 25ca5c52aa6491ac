import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { findScenario, parseScenario, readScenario, ScenarioError, scenariosDirectory } from './scenario-file.ts';

const LINE = '[topology]\nshape = "line"\nnodes = 3\n';

function mistake(text: string, file = 'a.toml'): string {
  try {
    parseScenario(text, file);
  } catch (error) {
    assert.ok(error instanceof ScenarioError, String(error));
    return error.message;
  }
  return assert.fail('it was taken');
}

describe('a mistake in a scenario', () => {
  const inToml: [name: string, text: string, message: RegExp | string][] = [
    ['broken syntax', 'title = "x"\nseed = = 1\n', /^a\.toml line 2: not valid TOML: /],
    ['a missing title', LINE, 'a.toml: title is missing'],
    [
      'a misspelled key, before what it makes missing',
      `titel = "x"\n${LINE}`,
      'a.toml line 1: unknown key "titel": did you mean "title"?',
    ],
    [
      'an unknown key in the second of several tables',
      'title = "x"\n[[node]]\nname = "a"\n[[node]]\nname = "b"\nkinf = "none"\n',
      'a.toml line 6: unknown key "kinf": did you mean "kind"?',
    ],
    [
      'an unknown key of one variant',
      `title = "x"\n${LINE}[[event]]\nat = "1 s"\ndo = "heal"\nlink = "n1-n2"\nsilently = true\n`,
      'a.toml line 9: unknown key "silently": known keys are at, name, do, link',
    ],
    [
      'a half-life that babeld cannot be told',
      `title = "x"\n${LINE}[babeld]\nsmoothing = "0.5 s"\n`,
      'a.toml line 6: babeld.smoothing must be a whole number of seconds, such as "1 s"',
    ],
    [
      'a quantity without a unit',
      `title = "x"\n${LINE}[[link]]\nbetween = ["n1", "n3"]\ndelay = "20"\n`,
      'a.toml line 7: link number 1: delay must be a length of time, such as "20 ms", "1.5 s" or "2 min"',
    ],
    [
      'what stands in an inline table, at the line of that',
      'title = "x"\n[[node]]\nname = "a"\nnat = { outside = "x", ports = "some" }\n',
      'a.toml line 4: node number 1: nat.ports must be "kept" or "changed" or "random" or "fully-random"',
    ],
    [
      'a link that is not there',
      `title = "x"\n${LINE}[[event]]\nat = "1 s"\ndo = "cut"\nlink = "n1-n3"\n`,
      'a.toml line 8: event number 1: link is "n1-n3", which nothing here is called: there are n1-n2, n2-n3',
    ],
    [
      'two nodes of one name',
      `title = "x"\n${LINE}[[node]]\nname = "n2"\n`,
      'a.toml line 6: node number 1: name is "n2", a name that is taken',
    ],
    [
      'a grid without a size',
      'title = "x"\n[topology]\nshape = "grid"\n',
      'a.toml line 2: topology of shape "grid" needs width and height',
    ],
    [
      'a second link to the same node without a name',
      `title = "x"\n${LINE}[[link]]\nbetween = ["n2", "n1"]\n`,
      'a.toml line 5: link number 1 is the second from n2 to the same node: give it a name',
    ],
    [
      'events out of order',
      `title = "x"\n${LINE}[[event]]\nat = "2 s"\ndo = "cut"\nlink = "n1-n2"\n[[event]]\nat = "1 s"\ndo = "heal"\nlink = "n1-n2"\n`,
      'a.toml line 10: event number 2: at is before the last one',
    ],
    [
      'an expectation of a load that is not of its kind',
      `title = "x"\n${LINE}[[load]]\nkind = "tcp"\nname = "t"\nfrom = "n1"\nto = "n2"\n[[expect]]\nwhat = "outage"\nload = "t"\nat-most = "1 s"\n`,
      'a.toml line 12: expect number 1: load is "t", which nothing here is called: there is none',
    ],
    [
      'the end of a daemon where there is none',
      'title = "x"\n[[node]]\nname = "a"\nkind = "none"\n[[event]]\nat = "1 s"\ndo = "kill"\nnode = "a"\n',
      'a.toml line 8: event number 1: node runs no daemon',
    ],
  ];
  for (const [name, text, message] of inToml) {
    it(`is told with its line: ${name}`, () => {
      if (typeof message === 'string') assert.equal(mistake(text), message);
      else assert.match(mistake(text), message);
    });
  }

  it('is told with its line in JSON as well', () => {
    const json =
      '{ "title": "x",\n  "topology": { "shape": "line", "nodes": 3 },\n  "event": [\n    { "at": "1 s", "do": "cut",\n      "link": "n9" } ] }';
    assert.match(mistake(json, 'a.json'), /^a\.json line 5: event number 1: link is "n9"/);
    assert.match(
      mistake(json.replace('"at"', '"att"'), 'a.json'),
      /^a\.json line 4: unknown key "att": did you mean "at"\?/,
    );
    assert.match(mistake('{\n  "title": "x",\n}', 'a.json'), /^a\.json line 3: not valid JSON: /);
  });

  it('is, of the name of a scenario, answered by the nearest', () => {
    assert.throws(() => findScenario('rign-cut'), /did you mean "ring-cut"\?/);
    assert.throws(() => readScenario('./nowhere.toml'), /cannot be read \(ENOENT\)/);
  });
});

describe('a scenario', () => {
  for (const file of readdirSync(scenariosDirectory())) {
    it(`that comes with wiremesh can be used: ${file}`, () => {
      assert.ok(readScenario(join(scenariosDirectory(), file)).nodes.length >= 2);
    });
  }

  it('is the same in TOML and in JSON', () => {
    const toml = `title = "x"\n${LINE}delay = "1.5 s"\n`;
    const json = JSON.stringify({ title: 'x', topology: { shape: 'line', nodes: 3, delay: '1.5 s' } });
    assert.deepEqual(parseScenario(toml, 'a.toml'), parseScenario(json, 'a.json'));
    assert.equal(parseScenario(toml, 'a.toml').links[0].emulated?.delay, 1500);
  });

  it('draws a grid: each node with those beside and below it', () => {
    const { links } = parseScenario('title = "x"\n[topology]\nshape = "grid"\nwidth = 3\nheight = 2\n', 'a.toml');
    assert.deepEqual(
      links.map(({ name }) => name),
      ['n1-n2', 'n1-n4', 'n2-n3', 'n2-n5', 'n3-n6', 'n4-n5', 'n5-n6'],
    );
  });

  it('runs something else where it has wiremesh, and nothing else elsewhere', () => {
    const text = 'title = "x"\n[[node]]\nname = "a"\n[[node]]\nname = "b"\nkind = "none"\n';
    const { nodes } = parseScenario(text, 'a.toml', 'wireguard-go+babeld');
    assert.deepEqual(
      nodes.map(({ kind, forward }) => [kind, forward]),
      [
        ['wireguard-go+babeld', true],
        ['none', false],
      ],
    );
  });

  it('emulates every link that a node moves to from an emulated one: its interface stays', () => {
    const text = `title = "x"\n${LINE}[[node]]\nname = "x"\n[[link]]\nname = "slow"\nbetween = ["x", "n1"]\ndelay = "1 ms"\n[[link]]\nname = "fast"\nbetween = ["n2", "n3", "n1"]\n[[event]]\nat = "0 s"\ndo = "move"\nnode = "x"\nfrom = "slow"\nto = "fast"\n`;
    const { links } = parseScenario(text, 'a.toml');
    assert.deepEqual(
      links.map(({ emulated }) => emulated !== undefined),
      [false, false, true, true],
    );
  });
});
