import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release } from 'node:os';

/** What the figures were measured on. */
export interface MachineUnderTest {
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly node: string;
  readonly wireguardGo: string;
  /** Of the last minute before the first round: far above 0 the figures say little. */
  readonly loadBefore: number;
}

/** Above this something else is running: the figures are worth less. */
export const QUIET_LOAD = 0.5;

export function machineUnderTest(): MachineUnderTest {
  const all = cpus();
  const version = execFileSync('wireguard-go', ['--version'], { encoding: 'utf8' });
  return {
    cpu: all[0].model,
    cores: all.length,
    kernel: release(),
    node: process.version,
    wireguardGo: /v[\d.]+/.exec(version)?.[0] ?? version.trim(),
    loadBefore: loadavg()[0],
  };
}
