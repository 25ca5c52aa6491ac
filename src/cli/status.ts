import type { Command } from 'commander';
import { printableJson } from '../api/index.ts';
import { chooseDaemon, DaemonClient, type DaemonChoice } from './client.ts';
import { renderStatus } from './status-table.ts';

export function addStatusCommand(program: Command): void {
  chooseDaemon(program.command('status'))
    .description('show this node and the nodes it knows')
    .option('--json', 'print the status document of the API')
    .allowExcessArguments(false)
    .action(async (options: DaemonChoice & { json?: true }) => {
      const status = await new DaemonClient(options).status();
      const text = options.json
        ? printableJson(JSON.stringify(status, undefined, 2))
        : renderStatus(status, Date.now(), process.stdout.isTTY);
      process.stdout.write(`${text}\n`);
    });
}
