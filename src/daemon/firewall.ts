import { WiremeshError } from '../error.ts';
import { formatPrefix, prefixOf, type Prefix } from '../inet/index.ts';
import {
  AddressMonitor,
  hasTable,
  listAddresses,
  listLinks,
  OwnedTables,
  putTables,
  removeTable,
  SystemCallError,
  TableMonitor,
  watchReadable,
  type NftTable,
  type Link,
} from '../linux/index.ts';
import { firewallOf, heldTableName, tableName, type Protected } from './firewall-rules.ts';

/** Changes come together, addresses with their link and rules with their table. */
const SETTLE_MS = 50;
/** Between two times that the tables are put back: whoever removes them without end is not to keep us busy. */
const PUT_BACK_INTERVAL_MS = 1000;

/** What kernels before 5.12 say to a table that has an owner. */
const NO_OWNERS: readonly string[] = ['EINVAL', 'EOPNOTSUPP'];

/** The host cannot keep what belongs to the mesh on the mesh's interface. */
export class FirewallError extends WiremeshError {
  readonly code = 'FIREWALL';
}

export interface FirewallOptions extends Omit<Protected, 'onLink'> {
  /** Somebody else has changed the tables, and they have been put back; or they could not be. */
  readonly onTouched: () => void;
  readonly onError: (error: Error) => void;
}

/**
 * Keeps packets of the mesh on the mesh's interface, from before that has its first address until the mesh is left in
 * good order. A daemon that is killed leaves the tables behind: then nothing passes, which is the lesser harm. Twins of them
 * belong to this process: what flushes all tables of the host, and our rules and routes with them, opens nothing.
 */
export class Firewall {
  readonly #options: FirewallOptions;
  readonly #imported: Map<string, Prefix>;
  readonly #addresses = new AddressMonitor();
  readonly #tables: TableMonitor;
  /** Missing where the kernel knows no such tables (before 5.12). */
  readonly #held: OwnedTables | undefined;
  readonly #watches: readonly { close(): void }[];
  #onLink: readonly Prefix[];
  #timer: NodeJS.Timeout | undefined;
  #mustPut = false;
  #isTouched = false;
  #putBackAt = -Infinity;

  /** Whether the tables stood before, left by a daemon that was killed. */
  readonly isInherited: boolean;

  /** @throws FirewallError */
  static raise(options: FirewallOptions): Firewall {
    try {
      return new Firewall(options);
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      throw new FirewallError(
        `${error.message}; without it others on a link of this host can pass for nodes of the mesh, and draw its traffic ` +
          'to themselves: to run like that all the same, say "--no-firewall"',
      );
    }
  }

  private constructor(options: FirewallOptions) {
    this.#options = options;
    this.#imported = new Map(options.imported.map((prefix) => [formatPrefix(prefix), prefix]));
    this.#tables = new TableMonitor(tableName(options.link));
    this.isInherited = isFirewallUp(options.link);
    this.#onLink = this.#subnets();
    this.#held = this.#hold();
    this.#put();
    this.#tables.read();
    this.#watches = [
      watchReadable(this.#addresses.fd, () => {
        this.#addresses.read(() => undefined);
        this.#lookSoon(SETTLE_MS);
      }),
      watchReadable(this.#tables.fd, () => {
        if (!this.#tables.read()) return;
        this.#isTouched = true;
        this.#lookSoon(Math.max(SETTLE_MS, this.#putBackAt + PUT_BACK_INTERVAL_MS - performance.now()));
      }),
    ];
  }

  /** To be called before the host gets a route to `prefix`. @throws SystemCallError */
  addImport(prefix: Prefix): void {
    const key = formatPrefix(prefix);
    if (this.#imported.has(key)) return;
    this.#imported.set(key, prefix);
    this.#put();
  }

  /** Stops to look after the tables, which stay. */
  abandon(): void {
    clearTimeout(this.#timer);
    for (const watch of this.#watches) watch.close();
    this.#addresses.close();
    this.#tables.close();
  }

  /** Takes the tables away. @throws SystemCallError */
  lower(): void {
    this.abandon();
    removeFirewall(this.#options.link);
    this.#held?.close();
  }

  #lookSoon(wait: number): void {
    this.#timer ??= setTimeout(() => this.#look(), wait);
  }

  #look(): void {
    this.#timer = undefined;
    const before = this.#onLink.map(formatPrefix).join();
    this.#onLink = this.#subnets();
    const isTouched = this.#isTouched;
    this.#mustPut ||= isTouched || this.#onLink.map(formatPrefix).join() !== before;
    if (!this.#mustPut) return;
    this.#isTouched = false;
    if (isTouched) this.#putBackAt = performance.now();
    try {
      this.#put();
      this.#mustPut = false;
      if (isTouched) this.#options.onTouched();
    } catch (error) {
      this.#options.onError(error as Error);
      this.#lookSoon(PUT_BACK_INTERVAL_MS);
    }
  }

  #put(): void {
    const tables = this.#wanted();
    this.#held?.put(heldTwins(tables, this.#options.link));
    putTables(tables);
  }

  #wanted(): NftTable[] {
    return firewallOf({ ...this.#options, imported: [...this.#imported.values()], onLink: this.#onLink });
  }

  #hold(): OwnedTables | undefined {
    const held = new OwnedTables();
    try {
      held.put(heldTwins(this.#wanted(), this.#options.link));
      return held;
    } catch (error) {
      held.close();
      if (error instanceof SystemCallError && NO_OWNERS.includes(error.errno)) return undefined;
      throw error;
    }
  }

  #subnets(): Prefix[] {
    const isOther = ({ name, isLoopback }: Link) => !isLoopback && name !== this.#options.link;
    const others = new Set(
      listLinks()
        .filter(isOther)
        .map(({ index }) => index),
    );
    const subnets = listAddresses()
      .filter(({ interfaceIndex }) => others.has(interfaceIndex))
      .map(({ address, prefixLength }) => prefixOf(address, prefixLength));
    return [...new Map(subnets.map((subnet) => [formatPrefix(subnet), subnet])).values()];
  }
}

function heldTwins(tables: readonly NftTable[], link: string): NftTable[] {
  return tables.map((table) => ({ ...table, name: heldTableName(link) }));
}

/** Whether a daemon of the interface `link` has left its tables. @throws SystemCallError */
export function isFirewallUp(link: string): boolean {
  return hasTable({ family: 6, name: tableName(link) });
}

/** Takes away what a daemon of the interface `link` has left. @returns whether there was anything. @throws SystemCallError */
export function removeFirewall(link: string): boolean {
  const name = tableName(link);
  const removed = ([4, 6] as const).map((family) => removeTable({ family, name }));
  return removed.includes(true);
}
