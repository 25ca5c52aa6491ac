#!/usr/bin/env node
import { refuseOldNode } from '../src/cli/node-version.ts';
import { watchOutput } from '../src/cli/output-errors.ts';

refuseOldNode('wireguard-ts');
watchOutput('wireguard-ts');
const { runWireguardTs } = await import('../src/daemon/wireguard-ts.ts');
process.exitCode = await runWireguardTs(process.argv);
