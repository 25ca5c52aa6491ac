import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { parse, TomlError } from 'smol-toml';
import * as v from 'valibot';
import {
  DEFAULT_CONFIG_FILE,
  DEFAULT_INTERFACE,
  DEFAULT_STATE_DIRECTORY,
  DISCOVERY_PORT,
  lineOf,
  nearestWord,
  settingsSchema,
  socketPathOf,
  spellingOf,
  TABLE_KEYS,
  tomlPositions,
  type KeyPath,
  type Positions,
  type SettingName,
  type Settings,
  type UpOptions,
} from '../api/index.ts';
import { WiremeshError } from '../error.ts';
import { contradictionIn } from './networks.ts';

/** Settings with every choice made: the command line first, then the file, then the default. */
export type Config = { readonly [Name in SettingName]-?: NonNullable<Settings[Name]> };

/** The configuration cannot be used. */
export class ConfigError extends WiremeshError {
  readonly code = 'CONFIG';
}

/** Of imported routes, and the mark of packets that do not follow them. */
const DEFAULT_TABLE = 7077;

const SPELLINGS = Object.keys(settingsSchema.entries).map(spellingOf);
const NAME_OF = new Map(Object.keys(settingsSchema.entries).map((name) => [spellingOf(name), name]));

/** @throws ConfigError naming the file, the line and the key, or the two settings that contradict each other */
export function resolveConfig(options: UpOptions): Config {
  const { config: file, ...flags } = options;
  return completeConfig({ ...readConfigFile(file), ...flags });
}

function completeConfig(settings: Settings): Config {
  const interfaceName = settings.interface ?? DEFAULT_INTERFACE;
  const config: Config = {
    mesh: settings.mesh ?? 'wiremesh',
    interface: interfaceName,
    port: settings.port ?? DISCOVERY_PORT,
    link: settings.link ?? [],
    bootstrap: settings.bootstrap ?? [],
    trust: settings.trust ?? 'open',
    pin: settings.pin ?? [],
    name: settings.name ?? hostname(),
    wireguardKey: settings.wireguardKey ?? 'persistent',
    stateDir: settings.stateDir ?? DEFAULT_STATE_DIRECTORY,
    socket: settings.socket ?? socketPathOf(interfaceName),
    mtu: settings.mtu ?? 1420,
    address: settings.address ?? [],
    network: settings.network ?? [],
    import: settings.import ?? [],
    table: settings.table ?? DEFAULT_TABLE,
    relay: settings.relay ?? true,
    firewall: settings.firewall ?? true,
    logLevel: settings.logLevel ?? 'info',
    logFormat: settings.logFormat ?? 'text',
  };
  // Somebody who lists node ids means to keep others out; an open mesh would not.
  if (config.pin.length > 0 && config.trust === 'open') {
    throw new ConfigError(
      'pin: node ids are pinned, but the mesh is open to all: add "--trust pinned", or remove them',
    );
  }
  return config;
}

function readConfigFile(file: string | undefined): Settings {
  const path = file ?? DEFAULT_CONFIG_FILE;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && file === undefined) return {};
    throw new ConfigError(`${path} cannot be read (${code}): check the path and its permissions`);
  }
  return parseConfig(text, path);
}

/** Reads the text of a configuration file; `path` is for messages. */
export function parseConfig(text: string, path: string): Settings {
  const table = parseToml(text, path);
  const positions = tomlPositions(text);
  const settings = new Map<string, unknown>();
  for (const [key, value] of Object.entries(table)) {
    const name = NAME_OF.get(key);
    if (name === undefined) throw mistake(path, positions, [key], unknownKey(key, SPELLINGS));
    settings.set(name, value);
  }
  const result = v.safeParse(settingsSchema, Object.fromEntries(settings));
  if (!result.success) {
    // A key that is misspelled makes the right one missing: the former is the news.
    const issue = result.issues.find(isUnknownKey) ?? result.issues[0];
    const [name, ...inner] = (issue.path ?? []).map(({ key }) => key as string | number);
    const keys = [spellingOf(String(name)), ...inner];
    throw mistake(path, positions, keys, wordsOf(issue, keys));
  }
  const contradiction = contradictionIn(result.output);
  if (contradiction === undefined) return result.output;
  const { path: keys, message } = contradiction;
  throw mistake(path, positions, keys, `${spell(keys)} ${message}`);
}

function mistake(path: string, positions: Positions, keys: KeyPath, words: string): ConfigError {
  const line = lineOf(positions, keys);
  return new ConfigError(`${path}${line === undefined ? '' : ` line ${line}`}: ${words}`);
}

function isUnknownKey(issue: v.BaseIssue<unknown>): boolean {
  return issue.type === 'strict_object' && issue.expected === 'never';
}

function wordsOf(issue: v.BaseIssue<unknown>, keys: KeyPath): string {
  const known = TABLE_KEYS[keys[0]] ?? [];
  if (isUnknownKey(issue)) return `${spell(keys.slice(0, -1))}: ${unknownKey(String(keys.at(-1)), known)}`;
  return `${spell(keys)} ${issue.received === 'undefined' ? 'is missing' : issue.message}`;
}

/** `["network", 0, "prefix"]` as `network (number 1): prefix`. */
function spell([key, index, inner]: KeyPath): string {
  const nth = typeof index === 'number' ? ` (number ${index + 1})` : '';
  return `${key}${nth}${inner === undefined ? '' : `: ${inner}`}`;
}

function parseToml(text: string, path: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // The library's message goes on with an excerpt, which could hold anything.
    const [reason] = error.message.replace(/^Invalid TOML document: /, '').split('\n');
    throw new ConfigError(`${path} line ${error.line}: not valid TOML: ${reason}`);
  }
}

function unknownKey(unknown: string, known: readonly string[]): string {
  const nearest = nearestWord(unknown, known);
  const hint = nearest === undefined ? `known keys are ${known.join(', ')}` : `did you mean "${nearest}"?`;
  return `unknown key "${unknown}": ${hint}`;
}
