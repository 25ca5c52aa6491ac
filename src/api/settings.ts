import * as v from 'valibot';

/**
 * What `wiremesh up` can be told, on the command line (`--state-dir`) and in the configuration file (`state-dir`).
 * One table for both: names, types, what is allowed. Messages complete the sentence "port: …".
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

function name(longest: number) {
  const message = `must be 1 to ${longest} printable characters`;
  return v.pipe(v.string(message), v.regex(new RegExp(`^[^\\p{C}\\p{Zl}\\p{Zp}]{1,${longest}}$`, 'u'), message));
}

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
);

const NODE_ID = 'must be a node id: 56 hexadecimal digits, as "wiremesh status" shows it on that node';
const nodeId = v.pipe(v.string(NODE_ID), v.toLowerCase(), v.regex(/^[0-9a-f]{56}$/, NODE_ID));

function list<Schema extends v.GenericSchema>(element: Schema) {
  return v.array(element, 'must be a list, such as ["…", "…"]');
}

/** Every setting, none of them required. */
export const settingsSchema = v.partial(
  v.strictObject({
    mesh: name(64),
    interface: interfaceName,
    port: wholeNumber(0, 65535),
    link: list(interfaceName),
    bootstrap: list(hostPortSchema),
    trust: oneOf('open', 'pinned'),
    pin: list(nodeId),
    name: name(64),
    wireguardKey: oneOf('persistent', 'per-session'),
    stateDir: path(4000),
    // sun_path has 108 bytes, the last of them zero (unix(7)).
    socket: path(107),
    // 1280: no IPv6 below (RFC 8200 §5); 9200: jumbo frames.
    mtu: wholeNumber(1280, 9200),
    logLevel: oneOf('debug', 'info', 'warn', 'error'),
    logFormat: oneOf('text', 'json'),
  }),
);
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
