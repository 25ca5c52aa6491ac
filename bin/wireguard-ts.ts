#!/usr/bin/env node
import { runWireguardTs } from '../src/daemon/wireguard-ts.ts';
process.exitCode = await runWireguardTs(process.argv);
