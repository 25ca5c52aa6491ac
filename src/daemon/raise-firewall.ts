import type { IpAddress } from '../inet/index.ts';
import type { Config } from './config.ts';
import { tableName } from './firewall-rules.ts';
import { Firewall, removeFirewall } from './firewall.ts';
import type { Logger } from './log.ts';
import type { Networks } from './networks.ts';
import type { Releases } from './releases.ts';

interface FirewallParts {
  readonly config: Config;
  readonly log: Logger;
  readonly releases: Releases;
}

/** Before there is anything to protect, and given back after all of it. */
export function raiseFirewall(
  { config, log, releases }: FirewallParts,
  networks: Networks,
  address: IpAddress,
): Firewall | undefined {
  const { interface: link } = config;
  if (!config.firewall) {
    log.warn(
      'no firewall: others on a link of this host can pass for nodes of the mesh, and draw its traffic to themselves',
    );
    removeLeftFirewall(link, log);
    return undefined;
  }
  const firewall = Firewall.raise({
    ...{ link, mark: markOf(config), blocked: networks.blocked },
    own: [address, ...networks.addresses.map(({ address }) => address)],
    imported: networks.imports.flatMap(({ prefix, covers }) => (covers === 'exactly' ? [prefix] : [])),
    onTouched: () => log.warn(`somebody changed the firewall tables ${tableName(link)}: they have been put back`),
    onError: (error) => log.error(`the firewall cannot be kept: ${error.message}`),
  });
  releases.add(() => {
    // A start that fails must not open what the daemon before it had closed.
    const stays = releases.ending === 'failed' || (releases.ending === 'not-started' && firewall.isInherited);
    if (!stays) return firewall.lower();
    firewall.abandon();
    log.warn(
      `what is for the mesh stays blocked by the firewall tables ${tableName(link)}: "wiremesh down" removes them, ` +
        '"wiremesh up" takes them over',
    );
  });
  return firewall;
}

function removeLeftFirewall(link: string, log: Logger): void {
  try {
    removeFirewall(link);
  } catch (error) {
    // A kernel without nf_tables has none of ours.
    log.debug(`no firewall to remove: ${(error as Error).message}`);
  }
}

/** Of packets that do not follow the routes through the device. */
export function markOf(config: Config): number {
  return config.import.length > 0 ? config.table : 0;
}
