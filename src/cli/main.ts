import { Command, CommanderError } from 'commander';
import { WiremeshError } from '../error.ts';
import { printable, type UpOptions } from '../api/index.ts';
import { addDownCommand, type RemoveLeftovers } from './down.ts';
import { addStatusCommand } from './status.ts';
import { addUpCommand } from './up.ts';

/** What the command runs but may not import: the composition root and the lab lie outside of the API's reach. */
export interface Programs {
  readonly version: string;
  /** @returns the exit code */
  up(options: UpOptions): Promise<number>;
  readonly removeLeftovers: RemoveLeftovers;
  /** Adds `lab` and what is below it. */
  addLabCommands(program: Command): void;
}

/** Exit codes that scripts can use (docs/exit-codes.md). */
const EXIT = { success: 0, failure: 1, usage: 2, notRunning: 3 } as const;
const EXIT_BY_ERROR_CODE: Readonly<Record<string, number>> = {
  CONFIG: EXIT.usage,
  USAGE: EXIT.usage,
  NOT_RUNNING: EXIT.notRunning,
};

/** The `wiremesh` command. @returns the exit code */
export async function main(argv: readonly string[], programs: Programs): Promise<number> {
  try {
    await createProgram(programs).parseAsync(argv);
    // A subcommand that ran a program of the user's (`lab exec`) passes that one's exit code on.
    return Number(process.exitCode ?? EXIT.success);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.success : EXIT.usage;
    if (!(error instanceof WiremeshError)) throw error;
    process.stderr.write(`wiremesh: ${printable(error.message)}\n`);
    return EXIT_BY_ERROR_CODE[error.code] ?? EXIT.failure;
  }
}

function createProgram(programs: Programs): Command {
  const program = new Command('wiremesh')
    .description('A mesh of WireGuard tunnels: machines that find each other, trust whom they should, and talk.')
    .version(programs.version, '--version', 'print the version')
    .helpOption('-h, --help', 'show what a command takes')
    .exitOverride()
    .configureOutput({ outputError: (message, write) => write(oneLine(message)) });
  addUpCommand(program, programs.up);
  addStatusCommand(program);
  addDownCommand(program, programs.removeLeftovers);
  programs.addLabCommands(program);
  return program;
}

/** Commander puts its suggestion on a line of its own, and repeats what was typed, however long and whatever it is. */
function oneLine(message: string): string {
  const words = message
    .replace(/^error: /, '')
    .trimEnd()
    .replace(/\s*\n\s*/g, ' ');
  const said = printable(words).replace(/\S{81,}/gu, (word) => `${Array.from(word).slice(0, 40).join('')}…`);
  return `wiremesh: ${said}: see "wiremesh --help"\n`;
}
