/**
 * Routes of the kernel to the networks that others offer, in a table of their own (docs/gateways.md). Three rules lead
 * past it: what the device sends itself (by its mark; by its port where the kernel asks whether what comes in comes by
 * the right way), and whatever the main table has a route for that is not the default route. So the tunnel does not
 * swallow its own packets, and networks on the host's links stay reachable. No sysctl is touched.
 */
import { formatPrefix, type IpAddress, type Prefix } from '../inet/index.ts';
import {
  addRule,
  addTableRoute,
  deleteTableRoute,
  MAIN_TABLE,
  removeRulesOf,
  runIpBatch,
  runIpLines,
  type IpCommandError,
  type Rule,
  type TableRoute,
} from '../linux/index.ts';
import { MESH_PREFIX } from '../mesh/index.ts';

/** Ours, by which leftovers are known; the registry of iproute2 has nobody under that number. */
const PROTOCOL = 77;
/** Before the main table (32766), behind whatever an administrator puts between. */
const PRIORITY = { mesh: 32_076, port: 32_077, main: 32_078, imports: 32_079 } as const;

export interface ImportRoutesOptions {
  readonly link: string;
  readonly table: number;
  /** The device's; its packets have the number of the table for a mark. */
  readonly port: number;
  /** Of what is imported. */
  readonly families: readonly (4 | 6)[];
  /** Of this host in the mesh; the first of a family is where its packets come from. */
  readonly addresses: readonly IpAddress[];
}

export class ImportRoutes {
  readonly #options: ImportRoutesOptions;
  readonly #onError: (error: IpCommandError) => void;
  /** By prefix: of what was wished for one only the last counts. */
  #waiting = new Map<string, string>();
  #working: Promise<void> | undefined;
  /** What the kernel is to have, by prefix. */
  readonly #wanted = new Map<string, Prefix>();

  /** Puts the rules up, after those of an earlier life that ended badly were taken down. @throws IpCommandError */
  static async open(options: ImportRoutesOptions, onError: (error: IpCommandError) => void): Promise<ImportRoutes> {
    await removeLeftRoutes();
    for (const family of options.families) await runIpBatch(importRules(options, family).map(addRule), { family });
    return new ImportRoutes(options, onError);
  }

  private constructor(options: ImportRoutesOptions, onError: (error: IpCommandError) => void) {
    this.#options = options;
    this.#onError = onError;
  }

  /** What the kernel has, unless somebody else took it away. `undefined` while it is being changed. */
  get routes(): TableRoute[] | undefined {
    return this.#working === undefined ? Array.from(this.#wanted.values(), (prefix) => this.#route(prefix)) : undefined;
  }

  /** Waits until they are there again, those of them that are still wanted. */
  async putBack(prefixes: readonly Prefix[]): Promise<void> {
    for (const prefix of prefixes) if (this.#wanted.has(formatPrefix(prefix))) this.add(prefix);
    await this.#working;
  }

  add(prefix: Prefix): void {
    this.#wanted.set(formatPrefix(prefix), prefix);
    this.#wish(prefix, addTableRoute(this.#route(prefix)));
  }

  remove(prefix: Prefix): void {
    this.#wanted.delete(formatPrefix(prefix));
    this.#wish(prefix, deleteTableRoute(this.#route(prefix)));
  }

  async close(): Promise<void> {
    await this.#working;
    await removeLeftRoutes();
  }

  #route(prefix: Prefix): TableRoute {
    const { link, table, addresses } = this.#options;
    const source = addresses.find(({ family }) => family === prefix.address.family);
    return { prefix, link, table, protocol: PROTOCOL, ...(source && { source }) };
  }

  #wish(prefix: Prefix, line: string): void {
    this.#waiting.set(formatPrefix(prefix), line);
    this.#working ??= this.#work().finally(() => (this.#working = undefined));
  }

  async #work(): Promise<void> {
    while (this.#waiting.size > 0) {
      // Others that come in the same moment go into the same batch.
      await Promise.resolve();
      const lines = [...this.#waiting.values()];
      this.#waiting = new Map();
      await runIpLines(lines, this.#onError);
    }
  }
}

/** Has the mesh's own addresses looked up before the main table is. */
export function meshRule(table: number): Rule {
  return { priority: PRIORITY.mesh, table, protocol: PROTOCOL, to: MESH_PREFIX };
}

export function meshRoute(link: string, table: number, source: IpAddress): TableRoute {
  return { prefix: MESH_PREFIX, link, table, protocol: PROTOCOL, source };
}

/**
 * In the main table a router advertisement or a redirect of the link can have a more specific route.
 * @throws IpCommandError, where the kernel has no policy routing for IPv6
 */
export async function routeMeshFirst(link: string, table: number, source: IpAddress): Promise<void> {
  await runIpBatch([addTableRoute(meshRoute(link, table, source)), addRule(meshRule(table))], { family: 6 });
}

/** Removes what a daemon that was killed left, whatever its configuration was. @throws IpCommandError */
export async function removeLeftRoutes(): Promise<void> {
  await removeRulesOf(PROTOCOL);
}

export function importRules({ table, port }: Pick<ImportRoutesOptions, 'table' | 'port'>, family: 4 | 6): Rule[] {
  const ours = { protocol: PROTOCOL };
  const rules: Rule[] = [
    { ...ours, priority: PRIORITY.main, table: MAIN_TABLE, withoutDefault: true },
    { ...ours, priority: PRIORITY.imports, table, unlessMark: table },
  ];
  // The kernel checks the way back (rp_filter) for IPv4 alone, and without the mark unless a sysctl says otherwise.
  if (family === 4) rules.push({ ...ours, priority: PRIORITY.port, table: MAIN_TABLE, udpSourcePort: port });
  return rules;
}
