import type { Command } from 'commander';
import { chooseDaemon, DaemonClient, type DaemonChoice } from './client.ts';

export function addDownCommand(program: Command): void {
  chooseDaemon(program.command('down'))
    .description('leave the mesh: the daemon says goodbye, removes its interface, and ends')
    .allowExcessArguments(false)
    .action((choice: DaemonChoice) => new DaemonClient(choice).down());
}
