import { existsSync } from 'node:fs';
import { LabError } from '../lab-error.ts';
import type { Scenario } from '../scenario/scenario.ts';

/** Debian's packages of the commands that some scenarios need. */
const PACKAGES: Readonly<Record<string, string>> = {
  nft: 'nftables',
  wg: 'wireguard-tools',
  'wireguard-go': 'wireguard-go',
  babeld: 'babeld',
  iperf3: 'iperf3',
};

/** @throws LabError that names all packages to install */
export function requireTools({ nodes, loads }: Scenario): void {
  const needed = new Set<string>();
  if (nodes.some(({ nat }) => nat !== undefined)) needed.add('nft');
  if (nodes.some(({ kind }) => kind === 'wireguard-go+babeld')) {
    for (const command of ['wg', 'wireguard-go', 'babeld']) needed.add(command);
  }
  if (loads.some(({ kind }) => kind === 'iperf3')) needed.add('iperf3');
  const directories = (process.env['PATH'] ?? '').split(':');
  const missing = [...needed].filter((command) => !directories.some((one) => existsSync(`${one}/${command}`)));
  if (missing.length === 0) return;
  const packages = missing.map((command) => PACKAGES[command]).join(' ');
  throw new LabError(`the scenario needs ${missing.join(', ')}: install ${packages}`);
}
