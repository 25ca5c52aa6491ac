import {
  currentName,
  inNamespaceOf,
  LinkMonitor,
  listLinks,
  SystemCallError,
  type Link,
  type LinkChange,
  type Tun,
} from '../linux/index.ts';

/** What the host made of the interface. */
export type TunLinkChange =
  { readonly kind: 'changed'; readonly up: boolean; readonly mtu: number } | { readonly kind: 'removed' };

/**
 * Follows the interface wherever the host takes it: it may be renamed, and moved to another network namespace while
 * the thread and its sockets stay where they are.
 */
export class TunLink {
  readonly #tun: Tun;
  #monitor: LinkMonitor;
  #index: number;
  #mtu = 0;
  /** A monitor that lost messages lists the links of the calling thread's namespace: that must be the one it watches. */
  #isElsewhere = false;

  /** `monitor` watches the namespace of the calling thread, in which the device was opened. It is closed with this. */
  constructor(tun: Tun, monitor: LinkMonitor) {
    this.#tun = tun;
    this.#monitor = monitor;
    this.#index = linkOf(tun)?.index ?? 0;
  }

  get fd(): number {
    return this.#monitor.fd;
  }

  /** @returns whether `fd` is another one now */
  read(onChange: (change: TunLinkChange) => void): boolean {
    const { fd } = this;
    const changes: LinkChange[] = [];
    const collect = (): void => this.#monitor.read((change) => changes.push(change));
    if (this.#isElsewhere) inNamespaceOf(this.#tun, collect);
    else collect();
    for (const { index, removed, up, mtu } of changes) {
      if (index !== this.#index) continue;
      if (removed) {
        this.#handleRemoval(onChange);
        break;
      }
      this.#mtu = mtu;
      onChange({ kind: 'changed', up, mtu });
    }
    return fd !== this.fd;
  }

  close(): void {
    this.#monitor.close();
  }

  /** To its old namespace an interface that is moved looks like one that is deleted. */
  #handleRemoval(onChange: (change: TunLinkChange) => void): void {
    if (currentName(this.#tun) === undefined) return onChange({ kind: 'removed' });
    try {
      const { up, mtu } = this.#follow();
      onChange({ kind: 'changed', up, mtu });
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      // Without the right to look there it is taken for being up as it was: nobody will say that it is.
      onChange({ kind: 'changed', up: true, mtu: this.#mtu });
    }
  }

  /** Watches the namespace that the interface is in now. @throws SystemCallError */
  #follow(): Link {
    const { monitor, link } = inNamespaceOf(this.#tun, () => {
      const opened = new LinkMonitor();
      return { monitor: opened, link: linkOf(this.#tun) };
    });
    this.#monitor.close();
    this.#monitor = monitor;
    this.#isElsewhere = true;
    // It may have been moved on meanwhile.
    if (link === undefined) return this.#follow();
    this.#index = link.index;
    this.#mtu = link.mtu;
    return link;
  }
}

/** The interface among the links of the calling thread's network namespace. */
function linkOf(tun: Tun): Link | undefined {
  const name = currentName(tun);
  return listLinks().find((link) => link.name === name);
}
