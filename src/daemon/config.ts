import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { parse, TomlError } from 'smol-toml';
import * as v from 'valibot';
import {
  DEFAULT_CONFIG_FILE,
  DEFAULT_INTERFACE,
  DEFAULT_STATE_DIRECTORY,
  DISCOVERY_PORT,
  nearestWord,
  settingsSchema,
  socketPathOf,
  spellingOf,
  type SettingName,
  type Settings,
  type UpOptions,
} from '../api/index.ts';
import { WiremeshError } from '../error.ts';

/** Settings with every choice made: the command line first, then the file, then the default. */
export type Config = { readonly [Name in SettingName]-?: NonNullable<Settings[Name]> };

/** The configuration cannot be used. */
export class ConfigError extends WiremeshError {
  readonly code = 'CONFIG';
}

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
  const settings = new Map<string, unknown>();
  for (const [key, value] of Object.entries(table)) {
    const name = NAME_OF.get(key);
    if (name === undefined) throw new ConfigError(`${place(path, text, key)}: unknown key "${key}": ${hint(key)}`);
    settings.set(name, value);
  }
  const result = v.safeParse(settingsSchema, Object.fromEntries(settings), { abortEarly: true });
  if (result.success) return result.output;
  const [{ message, path: where = [] }] = result.issues;
  const key = spellingOf(String(where[0]?.key));
  const nth = where.length > 1 ? ` (number ${Number(where[1].key) + 1})` : '';
  throw new ConfigError(`${place(path, text, key)}: ${key}${nth} ${message}`);
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

/** The parser keeps no positions, but all keys are at the top level: the first line that begins with one is it. */
function place(path: string, text: string, key: string): string {
  const quoted = key.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const opening = new RegExp(`^\\s*(\\[+\\s*)?["']?${quoted}["']?\\s*[=.\\]]`);
  const index = text.split('\n').findIndex((line) => opening.test(line));
  return index < 0 ? path : `${path} line ${index + 1}`;
}

function hint(unknown: string): string {
  const nearest = nearestWord(unknown, SPELLINGS);
  return nearest === undefined ? `known keys are ${SPELLINGS.join(', ')}` : `did you mean "${nearest}"?`;
}
