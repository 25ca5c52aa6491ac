import {
  endpointOf,
  formatAddress,
  formatEndpoint,
  isLinkLocal,
  type Endpoint,
  type IpAddress,
} from '../inet/index.ts';
import {
  AddressMonitor,
  defaultRouteLinks,
  LinkMonitor,
  listAddresses,
  listLinks,
  watchReadable,
  type Link,
  type LinkAddress,
} from '../linux/index.ts';
import { isMeshAddress, type HostAddress } from '../mesh/index.ts';
import { inOrderOfUse } from './endpoint-order.ts';

/** Changes come in flocks, an address after its link: they are looked at together. */
const SETTLE_MS = 100;

/** What of the host matters to the mesh. */
export interface HostView {
  /** Links that a beacon can go out on. */
  readonly links: readonly Link[];
  /** The link-local addresses of this host, by index of the link. */
  readonly linkLocals: ReadonlyMap<number, readonly IpAddress[]>;
  /** Addresses of this host that others may reach, with the port WireGuard is bound to; the most useful first. */
  readonly endpoints: readonly Endpoint[];
  /** All that it has, with the lengths of their prefixes. */
  readonly addresses: readonly HostAddress[];
}

/** Which links: those in `chosen`, or, where none are chosen, all that can have neighbours on them. */
export interface LinkChoice {
  readonly chosen: readonly string[];
  readonly port: number;
  /** The mesh's own interface. */
  readonly tunnel: string;
}

const NONE: ReadonlySet<string> = new Set();

/** `defaultLinks`: the names of those that default routes lead to. */
export function viewHost(
  links: readonly Link[],
  addresses: readonly LinkAddress[],
  choice: LinkChoice,
  defaultLinks = NONE,
): HostView {
  // Who took an address inside the mesh for an endpoint would look for the tunnel in the tunnel.
  const tunnel = links.find(({ name }) => name === choice.tunnel)?.index;
  const usable = addresses.filter((entry) => !entry.isTentative && entry.interfaceIndex !== tunnel);
  // A beacon needs a link-local address to come from; the kernel gives a link one a moment after the link is up.
  const linkLocals = new Map<number, IpAddress[]>();
  for (const { address, interfaceIndex } of usable) {
    if (isLinkLocal(address)) linkLocals.set(interfaceIndex, [...(linkLocals.get(interfaceIndex) ?? []), address]);
  }
  const isWanted = (link: Link) =>
    choice.chosen.length === 0 ? !link.isLoopback && !link.isPointToPoint : choice.chosen.includes(link.name);
  return {
    links: links.filter(
      (link) => link.running && link.supportsMulticast && linkLocals.has(link.index) && isWanted(link),
    ),
    linkLocals,
    addresses,
    endpoints: inOrderOfUse(
      usable.filter(({ address }) => isReachable(address)),
      links,
      defaultLinks,
    ).map(({ address }) => endpointOf(address, choice.port)),
  };
}

/** Whether others may reach us there: no loopback, nothing that means something on one link only, no address of a mesh. */
function isReachable(address: IpAddress): boolean {
  const { bytes, family } = address;
  if (family === 4) return bytes[0] !== 127 && !(bytes[0] === 169 && bytes[1] === 254);
  const isLoopback = bytes[15] === 1 && bytes.subarray(0, 15).every((byte) => byte === 0);
  return !isLoopback && !isLinkLocal(address) && !isMeshAddress(address);
}

/** Reports links and endpoints of the host, once at the start and whenever they have changed. */
export class HostLinks {
  readonly #choice: LinkChoice;
  readonly #onChange: (view: HostView) => void;
  readonly #monitors = [new LinkMonitor(), new AddressMonitor()];
  readonly #watches: readonly { close(): void }[];
  /** By index: links that are gone, whatever has come in their place. */
  readonly #removed = new Set<number>();
  #reported = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(choice: LinkChoice, onChange: (view: HostView) => void) {
    this.#choice = choice;
    this.#onChange = onChange;
    this.#watches = this.#monitors.map((monitor) =>
      watchReadable(monitor.fd, () => {
        monitor.read((change) => {
          if ('index' in change && change.removed) this.#removed.add(change.index);
        });
        this.#timer ??= setTimeout(() => this.scan(), SETTLE_MS);
      }),
    );
  }

  /** Looks now. */
  scan(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const view = viewHost(listLinks(), listAddresses(), this.#choice, defaultRouteLinks());
    const text = JSON.stringify([
      view.links.map(({ index, name }) => [index, name]),
      view.endpoints.map(formatEndpoint),
      view.addresses.map(({ address, prefixLength }) => [formatAddress(address), prefixLength]),
      [...view.linkLocals].map(([index, addresses]) => [index, addresses.map(formatAddress)]),
    ]);
    const isMadeAnew = view.links.some(({ index }) => this.#removed.has(index));
    // A link that was made anew is another one, though it may look the same: first it is gone.
    if (isMadeAnew) this.#onChange({ ...view, links: view.links.filter(({ index }) => !this.#removed.has(index)) });
    this.#removed.clear();
    if (text === this.#reported && !isMadeAnew) return;
    this.#reported = text;
    this.#onChange(view);
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const watch of this.#watches) watch.close();
    for (const monitor of this.#monitors) monitor.close();
  }
}
