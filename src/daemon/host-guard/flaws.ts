/** What of a mesh is not on the host as it was put up there. */
import { addressesEqual, formatAddress, formatPrefix, prefixesEqual, type Prefix } from '../../inet/index.ts';
import {
  addAddress,
  addRoute,
  addRule,
  addTableRoute,
  MAIN_TABLE,
  renameLink,
  setDown,
  setMtu,
  setUp,
  type TableRoute,
} from '../../linux/index.ts';
import type { SeenHost, WantedHost, WantedRule } from './wanted.ts';

/** IPv6 needs it (RFC 8200 §5): with less the kernel takes IPv6 away from an interface. */
const MIN_MTU = 1280;

/** `link`, `ipv6` and `settings` are causes: whoever switches an interface off takes its addresses and routes along. */
export interface Flaw {
  readonly kind: 'link' | 'settings' | 'ipv6' | 'address' | 'route' | 'rule';
  /** The same flaw has the same key. */
  readonly key: string;
  /** Of a `link` or `ipv6`: what somebody did; of others: what is missing. */
  readonly words: string;
  /** For `runIpLines`, to mend it. None where that takes more. */
  readonly lines: readonly string[];
  readonly family?: 4 | 6;
  /** Where it is an imported network that has no route. */
  readonly prefix?: Prefix;
}

export function flawsOf(wanted: WantedHost, seen: SeenHost): Flaw[] {
  const causes = causesIn(wanted, seen);
  const rules = ruleFlaws(wanted, seen);
  if (causes.some(({ kind }) => kind === 'link')) return [...causes, ...rules];
  return [...causes, ...addressFlaws(wanted, seen), ...routeFlaws(wanted, seen), ...rules].filter(
    ({ family }) => family !== 6 || seen.ipv6 === 'on',
  );
}

function causesIn({ link }: WantedHost, seen: SeenHost): Flaw[] {
  const { name, mtu } = link;
  if (seen.link.name !== name) {
    const lines = [setDown(seen.link.name), renameLink(seen.link.name, name), setUp(name)];
    return [{ kind: 'link', key: 'name', words: `renamed ${name} to ${seen.link.name}`, lines }];
  }
  const flaws: Flaw[] = [];
  if (seen.link.mtu < MIN_MTU) {
    const words = `set the MTU of ${name} to ${seen.link.mtu}, with which it carries no IPv6`;
    flaws.push({ kind: 'link', key: 'mtu', words, lines: [setMtu(name, mtu)] });
  } else if (seen.ipv6 !== 'on') {
    flaws.push({ kind: 'ipv6', key: 'ipv6', words: `switched IPv6 off on ${name}`, lines: [] });
  } else if (!seen.isClosed) {
    flaws.push({ kind: 'settings', key: 'settings', words: `the IPv6 settings of ${name}`, lines: [] });
  }
  if (!seen.link.up) flaws.push({ kind: 'link', key: 'up', words: `switched ${name} off`, lines: [setUp(name)] });
  return flaws;
}

function addressFlaws({ link, addresses }: WantedHost, seen: SeenHost): Flaw[] {
  const missing = addresses.filter(
    ({ address, length }) =>
      !seen.addresses.some(
        (entry) =>
          entry.interfaceIndex === link.index &&
          entry.prefixLength === length &&
          addressesEqual(entry.address, address),
      ),
  );
  return missing.map(({ address, length }) => ({
    ...{ kind: 'address', key: `address ${formatAddress(address)}`, words: `the address ${formatAddress(address)}` },
    lines: [addAddress(link.name, address, length)],
    family: address.family,
  }));
}

function routeFlaws({ link, meshPrefix, routes }: WantedHost, seen: SeenHost): Flaw[] {
  const inMain = seen.routes.some(({ prefix, table }) => table === MAIN_TABLE && prefixesEqual(prefix, meshPrefix));
  const flaws: Flaw[] = [];
  if (!inMain) flaws.push(routeFlaw(meshPrefix, 'main', addRoute(meshPrefix, link.name)));
  for (const route of routes) {
    if (seen.routes.some((other) => isSame(route, other))) continue;
    const flaw = routeFlaw(route.prefix, String(route.table), addTableRoute(route));
    flaws.push(prefixesEqual(route.prefix, meshPrefix) ? flaw : { ...flaw, lines: [], prefix: route.prefix });
  }
  return flaws;
}

function isSame(route: TableRoute, other: SeenHost['routes'][number]): boolean {
  if (route.table !== other.table || !prefixesEqual(route.prefix, other.prefix)) return false;
  if (route.source === undefined) return true;
  return other.source !== undefined && addressesEqual(route.source, other.source);
}

function routeFlaw(prefix: Prefix, table: string, line: string): Flaw {
  const words = `the route to ${formatPrefix(prefix)} in table ${table}`;
  return { kind: 'route', key: words, words, lines: [line], family: prefix.address.family };
}

function ruleFlaws({ rules }: WantedHost, seen: SeenHost): Flaw[] {
  return rules.filter((wanted) => !isThere(wanted, seen)).map(ruleFlaw);
}

/** What can be said of a rule in one line is all there is to it. */
function isThere({ family, rule }: WantedRule, seen: SeenHost): boolean {
  const line = addRule(rule);
  return seen.rules.some(
    (other) => other.family === family && other.rule !== undefined && addRule(other.rule) === line,
  );
}

function ruleFlaw({ family, rule }: WantedRule): Flaw {
  const words = `the IPv${family} rule ${rule.priority}`;
  return { kind: 'rule', key: words, words, lines: [addRule(rule)], family };
}

/** Whether a family of this host has lost the rule by which it finds its ordinary routes. */
export function lacksMainRule({ rules }: SeenHost, family: 4 | 6): boolean {
  return !rules.some(
    (entry) =>
      entry.family === family &&
      entry.rule?.table === MAIN_TABLE &&
      !entry.rule.withoutDefault &&
      entry.rule.to === undefined &&
      entry.rule.unlessMark === undefined &&
      entry.rule.udpSourcePort === undefined,
  );
}
