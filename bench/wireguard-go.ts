/** Which wireguard-go is measured against: the newest that Debian has, or the one that is installed. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const PEERS = ['newest', 'installed'] as const;

const FETCH = fileURLToPath(new URL('../../bench/fetch-wireguard-go', import.meta.url));
const FOLDER = fileURLToPath(new URL('../../bench/results/wireguard-go', import.meta.url));

/** Makes `wireguard-go` the one that is asked for, in this process and in those that it starts. */
export function choosePeer(which: (typeof PEERS)[number], tell: (line: string) => void): void {
  if (which === 'installed') return;
  const binaries = join(FOLDER, 'usr/bin');
  try {
    const version = execFileSync(FETCH, [FOLDER], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
    tell(`wireguard-go is Debian's package ${version.trim()}`);
  } catch (error) {
    if (!existsSync(join(binaries, 'wireguard-go'))) {
      throw new Error('the newest wireguard-go cannot be fetched: see above, or add "--wireguard-go installed"', {
        cause: error,
      });
    }
    tell('the newest wireguard-go cannot be fetched: the one that was fetched before is measured');
  }
  process.env.PATH = `${binaries}:${process.env.PATH}`;
}
