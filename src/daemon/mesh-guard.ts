import { HostGuard, type Flaw, type WantedHost, type WantedRule } from './host-guard/index.ts';
import type { Prefix, IpAddress } from '../inet/index.ts';
import { listLinks } from '../linux/index.ts';
import { MESH_PREFIX } from '../mesh/index.ts';
import type { HostChanges } from './host-changes.ts';
import { importRules, meshRoute, meshRule, type ImportRoutes } from './import-routes.ts';
import type { Logger } from './log.ts';

/** What a mesh has put up on the host. */
export interface MeshOnHost {
  readonly link: string;
  readonly mtu: number;
  readonly table: number;
  readonly port: number;
  readonly address: IpAddress;
  /** Of the interface, besides the one in the mesh. */
  readonly addresses: readonly Prefix[];
  /** Families of what is imported. */
  readonly families: readonly (4 | 6)[];
  readonly importRoutes: ImportRoutes | undefined;
  /** Whether the kernel has taken the rule that leads to the mesh first. */
  readonly hasMeshRule: boolean;
}

export interface MeshGuardOptions {
  readonly log: Logger;
  readonly changes: HostChanges;
  /** The interface was taken to another network namespace. */
  readonly onGone: (why: string) => void;
}

/** Has the host keep what `mesh` has put up on it, until the guard is closed. @throws SystemCallError */
export function guardMesh(mesh: MeshOnHost, { log, changes, onGone }: MeshGuardOptions): HostGuard {
  const wantedBesideImports = fixedParts(mesh);
  return new HostGuard({
    wanted: () => {
      const imported = mesh.importRoutes === undefined ? [] : mesh.importRoutes.routes;
      return imported && { ...wantedBesideImports, routes: [...wantedBesideImports.routes, ...imported] };
    },
    putBackImports: async (flaws: readonly Flaw[]) => {
      await mesh.importRoutes?.putBack(flaws.map(({ prefix }) => prefix).filter((prefix) => prefix !== undefined));
    },
    onChange: (words) => {
      log.warn(words);
      changes.add(words, Date.now());
    },
    onState: (isUp) => {
      if (changes.interfaceUp && !isUp) log.warn(`${mesh.link} is down: nothing goes through the mesh`);
      changes.interfaceUp = isUp;
    },
    onGone: () => onGone(`somebody took the interface ${mesh.link} away from this network namespace`),
    onError: (error) => log.warn(`it cannot be seen what becomes of ${mesh.link}: ${error.message}`),
  });
}

function fixedParts({ link, mtu, table, port, address, addresses, families, hasMeshRule }: MeshOnHost): WantedHost {
  const rules: WantedRule[] = families.flatMap((family) =>
    importRules({ table, port }, family).map((rule) => ({ family, rule })),
  );
  if (hasMeshRule) rules.push({ family: 6, rule: meshRule(table) });
  return {
    link: { index: listLinks().find(({ name }) => name === link)?.index ?? 0, name: link, mtu },
    addresses: [{ address, length: 128 }, ...addresses],
    meshPrefix: MESH_PREFIX,
    routes: hasMeshRule ? [meshRoute(link, table, address)] : [],
    rules,
  };
}
