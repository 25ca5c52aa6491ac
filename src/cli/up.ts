import { InvalidArgumentError, type Command } from 'commander';
import * as v from 'valibot';
import {
  DEFAULT_CONFIG_FILE,
  DEFAULT_INTERFACE,
  DEFAULT_STATE_DIRECTORY,
  DISCOVERY_PORT,
  settingsSchema,
  socketPathOf,
  type SettingName,
  type UpOptions,
} from '../api/index.ts';

export function addUpCommand(program: Command, up: (options: UpOptions) => Promise<number>): void {
  program
    .command('up')
    .description('join the mesh, and stay in the foreground until "wiremesh down" or Ctrl-C')
    .option('--mesh <name>', 'the mesh to join (default: wiremesh)', text('mesh'))
    .option('--interface <name>', `name of the tunnel interface (default: ${DEFAULT_INTERFACE})`, text('interface'))
    .option('--port <number>', `UDP port of WireGuard, 0 for a free one (default: ${DISCOVERY_PORT})`, number('port'))
    .option(
      '--link <name...>',
      'look for nodes on these links (default: every link that can carry a beacon)',
      list('link'),
    )
    .option('--bootstrap <host:port...>', 'look for nodes there, too', list('bootstrap'))
    .option(
      '--trust <whom>',
      'open: every node of this mesh; pinned: those given by --pin (default: open)',
      text('trust'),
    )
    .option('--pin <node-id...>', 'trust this node', list('pin'))
    .option('--name <name>', "what this node is called (default: the machine's host name)", text('name'))
    .option(
      '--wireguard-key <kind>',
      'persistent, or per-session for a new one at each start (default: persistent)',
      text('wireguardKey'),
    )
    .option('--mtu <bytes>', 'MTU of the tunnel interface (default: 1420)', number('mtu'))
    .option(
      '--no-firewall',
      'let packets of the mesh pass by other interfaces, too (default: a firewall keeps them off)',
    )
    .option('--state-dir <path>', `where keys are kept (default: ${DEFAULT_STATE_DIRECTORY})`, text('stateDir'))
    .option('--socket <path>', `socket of the control API (default: ${socketPathOf('INTERFACE')})`, text('socket'))
    .option('--config <file>', `configuration, in TOML, with these very names (default: ${DEFAULT_CONFIG_FILE})`)
    .option('--log-level <level>', 'debug, info, warn or error (default: info)', text('logLevel'))
    .option('--log-format <format>', 'text or json (default: text)', text('logFormat'))
    .allowExcessArguments(false)
    .action(async (options: UpOptions, command: Command) => {
      // Of a flag that says "no", commander takes "yes" for what was said by default.
      const { firewall, ...others } = options;
      const isSaid = command.getOptionValueSource('firewall') === 'cli';
      process.exitCode = await up(isSaid ? { ...others, firewall: firewall as boolean } : others);
    });
}

function text(name: SettingName) {
  return (value: string) => check(name, value);
}

function number(name: SettingName) {
  return (value: string) => check(name, /^\d+$/.test(value) ? Number(value) : value);
}

function list(name: SettingName) {
  return (value: string, previous: unknown) => check(name, [...((previous as string[] | undefined) ?? []), value]);
}

/** Flags are held to the rules of the configuration file. */
function check(name: SettingName, value: unknown): unknown {
  const result = v.safeParse(settingsSchema.entries[name], value, { abortEarly: true });
  if (!result.success) throw new InvalidArgumentError(`It ${result.issues[0].message}`);
  return result.output;
}
