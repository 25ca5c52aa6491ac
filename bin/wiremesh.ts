#!/usr/bin/env node
import { endOnEarlySignals } from '../src/cli/early-signals.ts';
import { refuseOldNode } from '../src/cli/node-version.ts';
import { watchOutput } from '../src/cli/output-errors.ts';

refuseOldNode('wiremesh');
watchOutput('wiremesh');
const handSignalsOver = process.argv[2] === 'up' ? endOnEarlySignals() : () => undefined;

const { main } = await import('../src/cli/main.ts');
const { addLabCommands } = await import('../lab/commands.ts');
const { version } = await import('../src/daemon/version.ts');

process.exitCode = await main(process.argv, {
  version: version(),
  // Loaded when it is wanted: `status` and `--help` need neither FFI nor cryptography.
  async up(options) {
    const { runDaemon } = await import('../src/daemon/main.ts');
    const ended = runDaemon(options);
    handSignalsOver();
    return ended;
  },
  removeLeftovers: async (link) => (await import('../src/daemon/leftovers.ts')).removeLeftovers(link),
  addLabCommands,
});
