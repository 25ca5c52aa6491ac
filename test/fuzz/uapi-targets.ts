import assert from 'node:assert/strict';
import { Conversation, type ConfigurableDevice } from '../../src/device/uapi-socket.ts';
import { formatState, SetOperation, UapiSyntaxError } from '../../src/device/uapi.ts';
import { millis } from '../../src/machine/index.ts';
import { Device, InvalidConfigurationError, type DeviceChange } from '../../src/wireguard/index.ts';
import { seededPrimitives } from './seeded-primitives.ts';
import type { Target } from './target.ts';

const KEYS = ['11', '22', '33'].map((byte) => byte.repeat(32));

const CONFIGURATION = `private_key=${KEYS[0]}
listen_port=51820
fwmark=0x1f
replace_peers=true
public_key=${KEYS[1]}
preshared_key=${KEYS[2]}
endpoint=192.0.2.1:51820
persistent_keepalive_interval=25
replace_allowed_ips=true
allowed_ip=10.0.0.0/8
allowed_ip=-10.1.0.0/16
allowed_ip=fd00::/64
protocol_version=1
public_key=${KEYS[2]}
endpoint=[fe80::1%4294967295]:1
update_only=true
remove=true
public_key=${KEYS[0].replace('1', '4')}
endpoint=[2001:db8::1%eth0]:65535
allowed_ip=::ffff:10.0.0.1/128
`;

/** Words, and values at their edges. */
const TOKENS = [
  ...[
    '=',
    '\n',
    '\n\n',
    '-',
    '+',
    '0x',
    '/',
    '/0',
    '/32',
    '/129',
    '[',
    ']',
    ':',
    '::',
    '%',
    '%eth0',
    '%3',
    '\r\n',
    '\0',
  ],
  ...['%4294967295', '%4294967296', '%99999999999999999999', `%${'9'.repeat(400)}`, '65535', '65536', '4294967296'],
  ...['true', 'false', '0', '-1', '1e3', ' ', '999.0.0.1', '010.0.0.1', '::ffff:1.2.3.4', 'fe80::', '0x7f.1', 'é'],
  ...['get=1\n\n', 'set=1\n', 'public_key=', `${KEYS[1]}\n`, 'allowed_ip=', 'endpoint=', 'remove=true\n', '__proto__='],
  ...['constructor=1\n', 'listen_port=', 'fwmark=', 'private_key=', `private_key=${'0'.repeat(64)}\n`],
].map(latin1);

const resolveZone = (name: string) => (name === 'eth0' ? 2 : undefined);

/** The text of a `set` is refused as a whole, or what it makes of a device can be said in text and read again. */
export function uapiSetTarget(): Target {
  const primitives = seededPrimitives();
  const unixTime = () => millis(1_700_000_000_000);
  const [device, copy] = [new Device({ primitives, unixTime }), new Device({ primitives, unixTime })];
  return {
    name: 'uapi-set',
    share: 4,
    seeds: [latin1(CONFIGURATION), ...CONFIGURATION.split('public_key').map((part) => latin1(`public_key${part}`))],
    tokens: TOKENS,
    outcomes: ['refused', 'carried out'],
    run(input) {
      const lines = textOf(input).split('\n').slice(0, -1);
      const change = readLines(lines);
      if (change === undefined) return 'refused';
      if (!configureFrom(device, change)) return 'contradiction';
      const state = device.state();
      assert.ok(
        state.peers.every(({ endpoint }) => (endpoint?.scopeId ?? 0) <= 0xffff_ffff),
        'no zone of any host',
      );
      const text = formatState(state);
      const said = readLines(text.split('\n').slice(0, -1).filter(isSettable));
      assert.ok(said !== undefined, 'says what cannot be read');
      configureFrom(copy, said);
      assert.equal(formatState(copy.state()), text);
      return 'carried out';
    },
  };
}

function readLines(lines: readonly string[]): DeviceChange | undefined {
  const operation = new SetOperation(resolveZone);
  try {
    for (const line of lines) operation.handleLine(line);
  } catch (error) {
    assert.ok(error instanceof UapiSyntaxError, String(error));
    return undefined;
  }
  return operation.change();
}

/** Makes `device` what `change` says, whatever it was. */
function configureFrom(device: Device, change: DeviceChange): boolean {
  const now = millis(0);
  device.configure({ privateKey: new Uint8Array(32), listenPort: 0, fwmark: 0, replacePeers: true }, now);
  try {
    device.configure(change, now);
  } catch (error) {
    assert.ok(error instanceof InvalidConfigurationError, String(error));
    return false;
  }
  for (let output = device.poll(); output !== undefined; output = device.poll()) {
    assert.notEqual(output.kind, 'deliver');
  }
  return true;
}

/** What `get` says and `set` does not know. */
function isSettable(line: string): boolean {
  return !/^(last_handshake_time_n?sec|[rt]x_bytes)=/.test(line);
}

/** A conversation answers each whole operation once, in few words, and ends at what is none. */
export const uapiConversationTarget: Target = {
  name: 'uapi-conversation',
  share: 5,
  seeds: [`get=1\n\nset=1\n${CONFIGURATION}\nget=1\n\n`, 'get=1\n\n', 'set=1\nlisten_port=0\n\n'].map(latin1),
  tokens: TOKENS,
  outcomes: ['ended', 'goes on', 'answered', 'refused'],
  async run(input) {
    const conversation = new Conversation(NOTHING_TO_SAY, resolveZone);
    const answers: string[] = [];
    for (const line of textOf(input).split('\n').slice(0, -1)) {
      const answer = await conversation.handleLine(line);
      if (answer === undefined) continue;
      if (answer.isLast) return 'ended';
      assert.ok(line === '' || line === '\r', 'answered before the end');
      assert.match(answer.text, /^errno=(0|-\d+)\n\n$/);
      answers.push(answer.text);
    }
    if (answers.length === 0) return 'goes on';
    return answers.every((answer) => answer === 'errno=0\n\n') ? 'answered' : 'refused';
  },
};

const NOTHING_TO_SAY: ConfigurableDevice = {
  configure: () => Promise.resolve(),
  state: () =>
    Promise.resolve({ ...{ privateKey: undefined, publicKey: undefined, listenPort: 0, fwmark: 0 }, peers: [] }),
};

function latin1(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'latin1'));
}

/** As the socket reads it. */
function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
