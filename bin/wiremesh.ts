#!/usr/bin/env node
import { addLabCommands } from '../lab/commands.ts';
import { main } from '../src/cli/main.ts';
import { version } from '../src/daemon/version.ts';

process.exitCode = await main(process.argv, {
  version: version(),
  // Loaded when it is wanted: `status` and `--help` need neither FFI nor cryptography.
  up: async (options) => (await import('../src/daemon/main.ts')).runDaemon(options),
  removeLeftovers: async (link) => (await import('../src/daemon/leftovers.ts')).removeLeftovers(link),
  addLabCommands,
});
