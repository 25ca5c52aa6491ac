/**
 * What a scenario file may say, as it is spelled there (docs/lab.md). Messages complete the sentence "KEY …". Whether
 * names that refer to something do so is checked in scenario.ts.
 */
import * as v from 'valibot';
import { parseAddress, parsePrefix } from '../../src/inet/index.ts';
import { parseDuration, parseRate, parseShare } from './units.ts';

export const NODE_KINDS = ['wiremesh', 'wireguard-go+babeld', 'none'] as const;
export type NodeKind = (typeof NODE_KINDS)[number];
/** What a NAT does to the source ports of what leaves by it (docs/lab.md). */
export const NAT_PORTS = ['kept', 'changed', 'random', 'fully-random'] as const;
export type NatPorts = (typeof NAT_PORTS)[number];
export const SHAPES = ['line', 'ring', 'star', 'full', 'grid'] as const;

function text(message: string, accepts: (value: string) => boolean) {
  return v.pipe(v.string(message), v.check(accepts, message));
}

function quantity(message: string, parse: (value: string) => number | undefined) {
  return v.pipe(
    text(message, (value) => parse(value) !== undefined),
    v.transform((value) => parse(value) as number),
  );
}

function oneOf<const Options extends readonly string[]>(options: Options) {
  return v.picklist(options, `must be ${options.map((option) => `"${option}"`).join(' or ')}`);
}

function wholeNumber(low: number, high: number) {
  const message = `must be a whole number from ${low} to ${high}`;
  return v.pipe(v.number(message), v.integer(message), v.minValue(low, message), v.maxValue(high, message));
}

function list<Schema extends v.GenericSchema>(element: Schema) {
  return v.array(element, 'must be a list');
}

const duration = quantity('must be a length of time, such as "20 ms", "1.5 s" or "2 min"', parseDuration);
const wholeSeconds = quantity('must be a whole number of seconds, such as "1 s"', (value) => {
  const duration = parseDuration(value);
  return duration !== undefined && duration % 1000 === 0 ? duration : undefined;
});
const rate = quantity('must be a rate, such as "500 kbit/s" or "10 Mbit/s"', parseRate);
const share = quantity('must be a share, such as "1.5 %"', parseShare);
/** It becomes part of names of namespaces, and `to-NAME` names an interface (15 characters at most). */
const nodeName = text('must be a name: 1 to 12 letters a to z, digits or "-"', (name) => /^[a-z0-9][a-z0-9-]{0,11}$/.test(name)); // prettier-ignore
const linkName = text('must be a name: 1 to 15 letters a to z, digits or "-"', (name) => /^[a-z0-9][a-z0-9-]{0,14}$/.test(name)); // prettier-ignore
const title = text('must be text', (value) => value !== '');
const address = text('must be an IP address', (value) => parseAddress(value) !== undefined);
const prefix = text('must be a prefix, such as "10.0.0.0/8"', (value) => parsePrefix(value) !== undefined);
const addresses = list(
  text(
    'must be an address with a prefix length, such as "192.0.2.1/24"',
    (value) => value.includes('/') && parsePrefix(value) !== undefined,
  ),
);
const yes = v.boolean('must be true or false');
const reference = v.string('must be a name');

const impairments = {
  delay: v.optional(duration),
  jitter: v.optional(duration),
  loss: v.optional(share),
  rate: v.optional(rate),
};
const mtu = v.optional(wholeNumber(1280, 65_521));

const node = v.strictObject({
  name: nodeName,
  kind: v.optional(oneOf(NODE_KINDS)),
  forward: v.optional(yes),
  routes: v.optional(list(v.strictObject({ to: prefix, via: address })), []),
  nat: v.optional(v.strictObject({ outside: reference, ports: v.optional(oneOf(NAT_PORTS), 'kept') })),
  /** What it offers to the mesh: `[[network]]` in the configuration of wiremesh. */
  network: v.optional(list(v.strictObject({ prefix, preference: v.optional(wholeNumber(0, 1000)) })), []),
  /** More of wiremesh.toml, which the daemon checks. */
  config: v.optional(v.record(v.string(), v.unknown()), {}),
});

const link = v.strictObject({
  name: v.optional(linkName),
  between: v.pipe(list(reference), v.minLength(2, 'must name two nodes or more')),
  addresses: v.optional(v.record(v.string(), addresses), {}),
  mtu,
  ...impairments,
});

const topology = v.strictObject({
  shape: oneOf(SHAPES),
  nodes: v.optional(wholeNumber(2, 250)),
  width: v.optional(wholeNumber(2, 15)),
  height: v.optional(wholeNumber(2, 15)),
  kind: v.optional(oneOf(NODE_KINDS)),
  mtu,
  ...impairments,
});

const at = { at: duration, name: v.optional(title) };
const event = v.variant(
  'do',
  [
    v.strictObject({ ...at, do: v.literal('cut'), link: reference, how: v.optional(oneOf(['silent', 'carrier']), 'silent') }), // prettier-ignore
    v.strictObject({ ...at, do: v.literal('heal'), link: reference }),
    v.strictObject({ ...at, do: v.literal('kill'), node: reference }),
    v.strictObject({ ...at, do: v.literal('restart'), node: reference }),
    v.strictObject({ ...at, do: v.literal('move'), node: reference, from: reference, to: reference, addresses: v.optional(addresses) }), // prettier-ignore
    v.strictObject({ ...at, do: v.literal('readdress'), node: reference, link: reference, addresses }),
    v.strictObject({ ...at, do: v.literal('exec'), node: reference, command: v.pipe(list(v.string()), v.minLength(1, 'must hold a command')) }), // prettier-ignore
  ],
  'must be "cut", "heal", "kill", "restart", "move", "readdress" or "exec"',
);

const span = { from: reference, to: reference, start: v.optional(duration, '0 s'), end: v.optional(duration) };
const load = v.variant(
  'kind',
  [
    v.strictObject({ ...span, kind: v.literal('ping'), name: reference, interval: v.optional(duration, '1 s') }),
    v.strictObject({ ...span, kind: v.literal('tcp'), name: reference, rate: v.optional(rate) }),
    v.strictObject({ ...span, kind: v.literal('iperf3'), name: reference, rate: v.optional(rate) }),
  ],
  'must be "ping", "tcp" or "iperf3"',
);

const window = { from: duration, to: duration };
const expectation = v.variant(
  'what',
  [
    v.strictObject({ what: v.literal('reachable'), from: reference, to: reference, within: duration, after: v.optional(reference) }), // prettier-ignore
    v.strictObject({ what: v.literal('unreachable'), from: reference, to: reference, after: v.optional(reference) }),
    v.strictObject({ what: v.literal('in-order'), load: reference, 'at-most': duration }),
    v.strictObject({ what: v.literal('outage'), load: reference, 'at-most': duration, after: v.optional(reference) }),
    v.strictObject({ what: v.literal('path'), from: reference, to: reference, via: list(reference), at: duration }),
    v.strictObject({ what: v.literal('survives'), load: reference }),
    v.strictObject({ what: v.literal('no-loops') }),
    v.strictObject({ what: v.literal('control-traffic'), 'at-most': rate, ...window }),
    v.strictObject({ what: v.literal('cpu'), 'at-most': share, ...window }),
  ],
  'must be "reachable", "unreachable", "outage", "in-order", "path", "survives", "no-loops", "control-traffic" or "cpu"',
);

export const scenarioSchema = v.strictObject({
  title,
  seed: v.optional(wholeNumber(0, 2 ** 31), 1),
  duration: v.optional(duration, '0 s'),
  topology: v.optional(topology),
  node: v.optional(list(node), []),
  link: v.optional(list(link), []),
  /** Of babeld, whose own are 4 s, 16 s, and 4 s. */
  babeld: v.optional(
    v.strictObject({ hello: v.optional(duration), update: v.optional(duration), smoothing: v.optional(wholeSeconds) }),
    {},
  ),
  event: v.optional(list(event), []),
  load: v.optional(list(load), []),
  expect: v.optional(list(expectation), []),
});

export type ScenarioDocument = v.InferOutput<typeof scenarioSchema>;
export type NodeDocument = ScenarioDocument['node'][number];
export type LinkDocument = ScenarioDocument['link'][number];
export type ScenarioEvent = ScenarioDocument['event'][number];
export type Load = ScenarioDocument['load'][number];
export type Expectation = ScenarioDocument['expect'][number];
