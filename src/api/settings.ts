import * as v from 'valibot';
import { MAX_HOST_NAME_CHARACTERS, printable, printableHostName } from '../printable.ts';
import { formatAddress, isHostPrefix, isLinkLocal, parseAddress, parsePrefix } from '../inet/index.ts';

/**
 * What `wiremesh up` can be told, in the configuration file (`state-dir`) and, for the most part, on the command line
 * (`--state-dir`). One table for both: names, types, what is allowed. Messages complete the sentence "port: …".
 */

const interfaceName = v.pipe(
  v.string('must be text'),
  // What src/linux/interface-name.ts takes.
  v.regex(
    /^(?!\.{1,2}$)[a-zA-Z0-9_=+.-]{1,15}$/,
    'must be an interface name: 1 to 15 letters, digits or any of _ = + . -',
  ),
);

function wholeNumber(low: number, high: number) {
  const message = `must be a whole number from ${low} to ${high}`;
  return v.pipe(v.number(message), v.integer(message), v.minValue(low, message), v.maxValue(high, message));
}

const MESH_NAME = 'must be 1 to 64 printable characters';
const meshName = v.pipe(
  v.string(MESH_NAME),
  v.check((text) => text === printable(text) && /^.{1,64}$/u.test(text), MESH_NAME),
);

const HOST_NAME = `must be 1 to ${MAX_HOST_NAME_CHARACTERS} printable characters without blanks`;
/** What others would show differently is not a name. */
const hostName = v.pipe(
  v.string(HOST_NAME),
  v.check((text) => text === printableHostName(text), HOST_NAME),
);

function path(longestBytes: number) {
  return v.pipe(
    v.string('must be a path'),
    v.minLength(1, 'must be a path'),
    v.maxBytes(longestBytes, `must be a path of at most ${longestBytes} bytes`),
  );
}

function oneOf<const Options extends readonly string[]>(...options: Options) {
  return v.picklist(options, `must be ${options.map((option) => `"${option}"`).join(' or ')}`);
}

const HOST_PORT = 'must be HOST:PORT, such as gate.example.org:7077, 192.0.2.1:7077 or [2001:db8::1]:7077';

/** `HOST:PORT`; an IPv6 address stands in brackets. */
export const hostPortSchema = v.pipe(
  v.string(HOST_PORT),
  v.regex(/^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253}):\d{1,5}$/, HOST_PORT),
  v.check((text) => {
    const port = Number(text.slice(text.lastIndexOf(':') + 1));
    return port >= 1 && port <= 65535;
  }, HOST_PORT),
  v.check(
    isHostElsewhere,
    'must name a host: on a link nodes find each other without it, so no link-local address, and no address that is not a single host',
  ),
);

/** A link-local address says nothing without a link; beacons find who is on one. */
function isHostElsewhere(hostPort: string): boolean {
  const address = parseAddress(hostPort.slice(0, hostPort.lastIndexOf(':')).replace(/^\[|\]$/g, ''));
  if (address === undefined) return true;
  const { bytes, family } = address;
  const isMulticast = family === 4 ? bytes[0] >= 224 : bytes[0] === 0xff;
  return !isLinkLocal(address) && !isMulticast && bytes.some((byte) => byte !== 0);
}

const NODE_ID = 'must be a node id: 56 hexadecimal digits, as "wiremesh status" shows it on that node';
const nodeId = v.pipe(v.string(NODE_ID), v.toLowerCase(), v.regex(/^[0-9a-f]{56}$/, NODE_ID));

const PREFIX = 'must be a prefix such as "10.20.0.0/16" or "::/0", with no bits set behind its length';
const prefix = v.pipe(
  v.string(PREFIX),
  v.check((text) => {
    const read = text.includes('/') ? parsePrefix(text) : undefined;
    const written = parseAddress(text.split('/')[0]);
    return read !== undefined && written !== undefined && formatAddress(read.address) === formatAddress(written);
  }, PREFIX),
);

const HOST_ADDRESS = 'must be an address and the length of a single one, such as "10.77.0.5/32" or "2001:db8::5/128"';
const hostAddress = v.pipe(
  v.string(HOST_ADDRESS),
  v.check((text) => {
    const read = text.includes('/') ? parsePrefix(text) : undefined;
    return read !== undefined && isHostPrefix(read);
  }, HOST_ADDRESS),
);

function list<Schema extends v.GenericSchema>(element: Schema, message = 'must be a list, such as ["…", "…"]') {
  return v.array(element, message);
}

const TABLE = 'must be a table';

/** Higher is preferred. */
export const DEFAULT_PREFERENCE = 100;

/** A network that this node leads to. */
const network = v.strictObject({ prefix, preference: v.optional(wholeNumber(0, 65_535), DEFAULT_PREFERENCE) }, TABLE);

const FROM = 'must be "any", or a list of node ids';
const from = v.union([v.literal('any'), v.pipe(v.array(nodeId), v.minLength(1, FROM))], FROM);
/** Whose offers of networks are believed: of a prefix, or of any within one. */
const importRule = v.pipe(
  v.strictObject(
    { prefix: v.optional(prefix), within: v.optional(prefix), from, leak: v.optional(oneOf('block', 'allow')) },
    TABLE,
  ),
  v.check(
    (rule) => (rule.prefix === undefined) !== (rule.within === undefined),
    'must have either "prefix" or "within", and not both',
  ),
);

// RT_TABLE_DEFAULT, RT_TABLE_MAIN and RT_TABLE_LOCAL of rtnetlink(7) are the kernel's.
const table = v.pipe(
  wholeNumber(1, 2 ** 31 - 1),
  v.check((number) => number < 253 || number > 255, 'must not be 253, 254 or 255, the tables of the kernel'),
);

/** Every setting, none of them required. */
export const settingsSchema = v.partial(
  v.strictObject({
    mesh: meshName,
    interface: interfaceName,
    port: wholeNumber(0, 65535),
    link: list(interfaceName),
    bootstrap: list(hostPortSchema),
    trust: oneOf('open', 'pinned'),
    pin: list(nodeId),
    name: hostName,
    wireguardKey: oneOf('persistent', 'per-session'),
    stateDir: path(4000),
    // sun_path has 108 bytes, the last of them zero (unix(7)).
    socket: path(107),
    // 1280: no IPv6 below (RFC 8200 §5); 9200: jumbo frames.
    mtu: wholeNumber(1280, 9200),
    address: list(hostAddress),
    network: list(network, 'must be a list: write [[network]]'),
    import: list(importRule, 'must be a list: write [[import]]'),
    table,
    relay: v.boolean('must be true or false'),
    firewall: v.boolean('must be true or false'),
    logLevel: oneOf('debug', 'info', 'warn', 'error'),
    logFormat: oneOf('text', 'json'),
  }),
);
/** The keys of tables inside of the settings, by the spelling of the setting. */
export const TABLE_KEYS: Readonly<Record<string, readonly string[]>> = {
  network: Object.keys(network.entries),
  import: Object.keys(importRule.entries),
};
/** Settings of one source; what is absent is left to the next one. */
export type Settings = v.InferOutput<typeof settingsSchema>;
export type SettingName = keyof Settings;

/** How the setting is spelled on the command line (behind `--`) and in the file: `state-dir` for `stateDir`. */
export function spellingOf(setting: string): string {
  return setting.replace(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`);
}

/** What the command line hands to the daemon. */
export interface UpOptions extends Settings {
  /** The configuration file, where it is not the usual one. */
  readonly config?: string;
}
