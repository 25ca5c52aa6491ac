import { formatAddress, formatPrefix, type IpAddress, type Prefix } from '../inet/index.ts';
import { interfaceName } from './interface-name.ts';
import { runIpCommand, runIpLines } from './ip-batch.ts';

/**
 * Routing tables of one's own and the rules that lead to them (ip-rule(8), ip-route(8)). Rules and routes bear the number
 * of a protocol, by which whoever made them knows them again.
 */

/** The table of ordinary routes. */
export const MAIN_TABLE = 254;

export interface Rule {
  /** Rules are asked in the order of these numbers. */
  readonly priority: number;
  readonly table: number;
  readonly protocol: number;
  /** Pass over default routes of the table. */
  readonly withoutDefault?: boolean;
  /** Only for packets to this prefix. */
  readonly to?: Prefix;
  /** Packets with this mark are not for the rule. */
  readonly unlessMark?: number;
  /** Only for UDP packets from this port. The check of what comes in (rp_filter) asks as if for an answer to it. */
  readonly udpSourcePort?: number;
}

/** A line for `runIpBatch`, whose option `family` says of which family the rule is. */
export function addRule(rule: Rule): string {
  const { priority, table, protocol, withoutDefault, to, unlessMark, udpSourcePort } = rule;
  const selectors = [
    to === undefined ? '' : ` to ${formatPrefix(to)}`,
    unlessMark === undefined ? '' : ` not fwmark ${unlessMark}`,
    udpSourcePort === undefined ? '' : ` ipproto udp sport ${udpSourcePort}`,
  ];
  const suppress = withoutDefault ? ' suppress_prefixlength 0' : '';
  return `rule add priority ${priority}${selectors.join('')} table ${table}${suppress} protocol ${protocol}`;
}

/** A route in a table other than the main one, where `source` is the address for packets of this host. */
export interface TableRoute {
  readonly prefix: Prefix;
  readonly link: string;
  readonly table: number;
  readonly protocol: number;
  readonly source?: IpAddress;
}

export function addTableRoute({ prefix, link, table, protocol, source }: TableRoute): string {
  const from = source === undefined ? '' : ` src ${formatAddress(source)}`;
  return `route replace ${formatPrefix(prefix)} dev ${interfaceName(link)} table ${table} protocol ${protocol}${from}`;
}

export function deleteTableRoute({ prefix, link, table, protocol }: TableRoute): string {
  return `route delete ${formatPrefix(prefix)} dev ${interfaceName(link)} table ${table} protocol ${protocol}`;
}

/** Removes the rules with `protocol`, and the routes with it in the tables these led to. @throws IpCommandError */
export async function removeRulesOf(protocol: number): Promise<void> {
  await Promise.all(([4, 6] as const).map((family) => removeRulesOfFamily(protocol, family)));
}

async function removeRulesOfFamily(protocol: number, family: 4 | 6): Promise<void> {
  const listed = JSON.parse(await runIpCommand([`-${family}`, '-N', '-json', 'rule', 'list'])) as ListedRule[];
  const rules = listed.filter((rule) => rule.protocol === String(protocol));
  const tables = new Set(rules.map(({ table }) => table).filter((table) => table !== String(MAIN_TABLE)));
  const lines = [
    ...rules.map(({ priority, table }) => `rule delete priority ${priority} table ${table} protocol ${protocol}`),
    ...[...tables].map((table) => `route flush table ${table} protocol ${protocol}`),
  ];
  // A table that nothing was ever put into does not exist, and somebody may have been quicker.
  await runIpLines(lines, () => undefined, { family });
}

/** What of `ip -N -json rule list` matters here. */
interface ListedRule {
  readonly priority: number;
  readonly table: string;
  readonly protocol?: string;
}
