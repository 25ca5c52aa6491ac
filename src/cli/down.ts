import type { Command } from 'commander';
import { DEFAULT_INTERFACE } from '../api/index.ts';
import { chooseDaemon, DaemonClient, NotRunningError, type DaemonChoice } from './client.ts';

/** Takes away what a killed daemon of an interface left. @returns whether there was anything */
export type RemoveLeftovers = (interfaceName: string) => Promise<boolean>;

export function addDownCommand(program: Command, removeLeftovers: RemoveLeftovers): void {
  chooseDaemon(program.command('down'))
    .description('leave the mesh: the daemon says goodbye, removes its interface and firewall, and ends')
    .allowExcessArguments(false)
    .action((choice: DaemonChoice) => down(choice, removeLeftovers));
}

async function down(choice: DaemonChoice, removeLeftovers: RemoveLeftovers): Promise<void> {
  try {
    await new DaemonClient(choice).down();
  } catch (error) {
    // A socket says nothing of the interface.
    const link = choice.interface ?? (choice.socket === undefined ? DEFAULT_INTERFACE : undefined);
    if (!(error instanceof NotRunningError) || link === undefined || !(await removeLeftovers(link))) throw error;
    process.stdout.write(`no daemon ran; the firewall that one left for ${link} is removed\n`);
  }
}
