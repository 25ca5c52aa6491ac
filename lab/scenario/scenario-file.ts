/** Reads a scenario from a TOML or JSON file. What is wrong with one is told with file, line and key. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, TomlError } from 'smol-toml';
import * as v from 'valibot';
import { lineOf, nearestWord, tomlPositions, type KeyPath as Path, type Positions } from '../../src/api/index.ts';
import { WiremeshError } from '../../src/error.ts';
import { jsonPositions } from './positions.ts';
import { ScenarioMistake, scenarioOf, type Scenario } from './scenario.ts';
import { scenarioSchema, type NodeKind } from './schema.ts';

/** The scenario cannot be used. */
export class ScenarioError extends WiremeshError {
  readonly code = 'CONFIG';
}

/** Where the scenarios that come with wiremesh are: beside the lab's sources, also for what was compiled elsewhere. */
export function scenariosDirectory(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'package.json'))) directory = dirname(directory);
  return join(directory, 'lab', 'scenarios');
}

/** The file that is meant by a path, or by the name of a scenario that comes with wiremesh. @throws ScenarioError */
export function findScenario(named: string): string {
  if (existsSync(named) || /[/.]/.test(named)) return named;
  const shipped = readdirSync(scenariosDirectory()).map((file) => file.replace(/\.toml$/, ''));
  if (shipped.includes(named)) return join(scenariosDirectory(), `${named}.toml`);
  const nearest = nearestWord(named, shipped);
  const hint = nearest === undefined ? `there are ${shipped.sort().join(', ')}` : `did you mean "${nearest}"?`;
  throw new ScenarioError(`no scenario "${named}": give the path of a file, or the name of one in the lab: ${hint}`);
}

/** `instead` takes the place of the kind "wiremesh" on all nodes. @throws ScenarioError */
export function readScenario(path: string, instead?: NodeKind): Scenario {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ScenarioError(`${path} cannot be read (${(error as NodeJS.ErrnoException).code}): check the path`);
  }
  return parseScenario(text, path, instead);
}

/** Reads the text of a scenario: JSON if `path` ends so, TOML otherwise. @throws ScenarioError */
export function parseScenario(text: string, path: string, instead?: NodeKind): Scenario {
  const isJson = path.endsWith('.json');
  const document = isJson ? parseJson(text, path) : parseToml(text, path);
  const positions = isJson ? jsonPositions(text) : tomlPositions(text);
  const result = v.safeParse(scenarioSchema, document);
  if (!result.success) {
    // A key that is misspelled makes the right one missing: the former is the news.
    const issue = result.issues.find(isUnknownKey) ?? result.issues[0];
    const keys = (issue.path ?? []).map(({ key }) => key as string | number);
    throw new ScenarioError(`${place(path, positions, keys)}: ${describe(issue, keys, document)}`);
  }
  try {
    return scenarioOf(result.output, instead);
  } catch (error) {
    if (!(error instanceof ScenarioMistake)) throw error;
    throw new ScenarioError(`${place(path, positions, error.path)}: ${spell(error.path)} ${error.message}`);
  }
}

function parseToml(text: string, path: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [reason] = error.message.replace(/^Invalid TOML document: /, '').split('\n');
    throw new ScenarioError(`${path} line ${error.line}: not valid TOML: ${reason}`);
  }
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const { message } = error as SyntaxError;
    // The parser tells the place in its message alone, and none where the text ends too early.
    const offset = Number(/at position (\d+)/.exec(message)?.[1] ?? text.length);
    throw new ScenarioError(`${path} line ${text.slice(0, offset).split('\n').length}: not valid JSON: ${message}`);
  }
}

function place(path: string, positions: Positions, keys: Path): string {
  const line = lineOf(positions, keys);
  return line === undefined ? path : `${path} line ${line}`;
}

/** `["link", 0, "delay"]` as `link number 1: delay`. */
function spell(keys: Path): string {
  return keys.reduce<string>((spelled, key) => {
    if (typeof key === 'number') return `${spelled} number ${key + 1}`;
    return spelled === '' ? key : `${spelled}${/\d$/.test(spelled) ? ':' : '.'}${/\d$/.test(spelled) ? ' ' : ''}${key}`;
  }, '');
}

function isUnknownKey(issue: v.BaseIssue<unknown>): boolean {
  return issue.type === 'strict_object' && issue.expected === 'never';
}

function describe(issue: v.BaseIssue<unknown>, keys: Path, document: unknown): string {
  const key = String(keys.at(-1));
  if (isUnknownKey(issue)) {
    const known = knownKeys(scenarioSchema as unknown as SchemaNode, keys.slice(0, -1), document);
    const nearest = nearestWord(key, known);
    const hint = nearest === undefined ? `known keys are ${known.join(', ')}` : `did you mean "${nearest}"?`;
    return `unknown key "${key}": ${hint}`;
  }
  // A key that is not there: of an object, or of what tells the variants apart.
  if (issue.received === 'undefined') return `${spell(keys)} is missing`;
  return `${spell(keys)} ${issue.type === 'strict_object' ? 'must be a table' : issue.message}`;
}

/** The parts of valibot's schemas that lead to the keys of a table inside. */
interface SchemaNode {
  readonly entries?: Record<string, SchemaNode>;
  readonly item?: SchemaNode;
  readonly wrapped?: SchemaNode;
  readonly options?: readonly SchemaNode[];
  readonly key?: string;
  readonly literal?: unknown;
}

/** What `schema` allows in the table at `path` of `document`. */
function knownKeys(schema: SchemaNode, path: Path, document: unknown): string[] {
  if (schema.wrapped) return knownKeys(schema.wrapped, path, document);
  if (schema.key !== undefined && schema.options) {
    const tag = schema.key;
    const value = (document as Record<string, unknown>)[tag];
    const option = schema.options.find(({ entries }) => entries?.[tag]?.literal === value);
    return option === undefined ? [] : knownKeys(option, path, document);
  }
  if (path.length === 0) return Object.keys(schema.entries ?? {});
  const inner = typeof path[0] === 'number' ? schema.item : schema.entries?.[path[0]];
  const [key] = path;
  return inner === undefined
    ? []
    : knownKeys(inner, path.slice(1), (document as Record<string | number, unknown>)[key]);
}
