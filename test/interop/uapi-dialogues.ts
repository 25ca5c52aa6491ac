/** What a client of UAPI may say: valid, invalid and odd. A table, for uapi.test.ts. */

export interface Dialogue {
  readonly name: string;
  /** Lines of a `set` that is carried out before. */
  readonly before?: readonly string[];
  readonly says: string;
  /** Where Debian's wireguard-go of 2022 answers otherwise: why, and what wireguard-ts answers, state behind it. */
  readonly differs?: { readonly because: string; readonly ours: RegExp };
}

const ZERO = '0'.repeat(64);
const KEY = 'ab'.repeat(32);
const PEER = `public_key=${'cd'.repeat(32)}`;
const OTHER_PEER = `public_key=${'ef'.repeat(32)}`;
/** Any key that is clamped already. */
const PRIVATE_KEY = `18${'11'.repeat(30)}51`;
const CONFIGURED = [PEER, 'endpoint=192.0.2.1:1000', 'allowed_ip=10.0.0.0/8'];

type More = Omit<Dialogue, 'name' | 'says'>;

function set(name: string, lines: readonly string[], more: More = {}): Dialogue {
  return { name, says: ['set=1', ...lines, '', ''].join('\n'), ...more };
}

function setPeer(name: string, lines: readonly string[], more: More = {}): Dialogue {
  return set(name, [PEER, ...lines], more);
}

/** A key with many values, each a dialogue. */
function setEach(key: string, values: readonly string[], more: More & { peer?: boolean } = {}): Dialogue[] {
  const { peer, ...rest } = more;
  return values.map((value) => set(`${key}=${value.slice(0, 40)}`, [...(peer ? [PEER] : []), `${key}=${value}`], rest));
}

const wholeOperations: Dialogue[] = [
  { name: 'get', says: 'get=1\n\n' },
  { name: 'get of a peer', says: 'get=1\n\n', before: CONFIGURED },
  { name: 'get with an argument', says: 'get=1\nprivate_key=1\n\n' },
  { name: 'get with a space behind it', says: 'get=1\n \n' },
  { name: 'get with a set inside', says: 'get=1\nset=1\n\n' },
  { name: 'get of another version', says: 'get=2\n\n' },
  { name: 'get without a version', says: 'get\n\n' },
  { name: 'set of another version', says: 'set=2\n\n' },
  { name: 'an empty set', says: 'set=1\n\n', before: CONFIGURED },
  { name: 'a blank line first', says: '\nget=1\n\n' },
  { name: 'nothing', says: '' },
  { name: 'another protocol', says: 'GET / HTTP/1.1\r\n\r\n' },
  { name: 'get with CRLF', says: 'get=1\r\n\r\n' },
  { name: 'get with CRLF at its end', says: 'get=1\n\r\n' },
  { name: 'set with CRLF', says: 'set=1\r\nlisten_port=7777\r\n\r\n' },
  { name: 'set with CRLF inside', says: 'set=1\nlisten_port=7777\r\n\r\n' },
  { name: 'get, then rubbish', says: 'get=1\n\nrubbish\n' },
  { name: 'a set before which there is a space', says: ' set=1\nlisten_port=7777\n\n' },
  { name: 'a line that is no assignment', says: 'set=1\nlisten_port\n\n' },
  { name: 'a line of a peer that is no assignment', says: `set=1\n${PEER}\nremove\n\n` },
  { name: 'a line longer than 64 KiB', says: `set=1\nlisten_port=${'0'.repeat(70_000)}7777\n\n` },
  { name: 'a long line', says: `set=1\nlisten_port=${'0'.repeat(60_000)}7777\n\n` },
  {
    name: 'two operations at once',
    says: 'set=1\nlisten_port=7777\n\nset=1\nfwmark=3\n\n',
    differs: {
      because: 'wireguard-go forgets what it has read behind a set',
      ours: /^errno=0\n\nerrno=0\n\nlisten_port=7777\nfwmark=3\n/,
    },
  },
  {
    name: 'a wrong operation and a right one',
    says: 'set=1\nfoo=1\nlisten_port=7777\n\nset=1\nfwmark=3\n\n',
    differs: {
      because: 'wireguard-go forgets what it has read behind a set',
      ours: /^errno=-22\n\nerrno=0\n\nlisten_port=FREE\nfwmark=3\n/,
    },
  },
  {
    name: 'half an operation',
    says: 'set=1\nlisten_port=7777\n',
    differs: { because: 'wireguard-go carries out each line as it comes', ours: /^listen_port=FREE\nerrno=0\n\n$/ },
  },
];

const deviceKeys: Dialogue[] = [
  ...setEach('listen_port', [
    '7777',
    '0',
    '',
    '65536',
    '-1',
    '+7777',
    ' 7777',
    '0x1e61',
    '7_777',
    '00007777',
    '7777=1',
  ]),
  ...setEach('fwmark', ['1', '0', '', '4294967295', '4294967296', '0x77', '0X77', '077', '0o77', '0b1', 'off', '-1'], {
    before: ['fwmark=5'],
  }),
  ...setEach('private_key', [PRIVATE_KEY, KEY, KEY.toUpperCase(), KEY.slice(1), KEY.slice(2), `${KEY}ab`, '', ZERO], {
    before: [`private_key=${PRIVATE_KEY}`],
  }),
  ...setEach('private_key', [ZERO, 'zz'.repeat(32)]),
  ...setEach('replace_peers', ['true', 'false', '1', 'TRUE', ''], { before: CONFIGURED }),
  ...setEach('LISTEN_PORT', ['7777']),
  ...setEach('listen_port ', ['7777']),
  ...setEach('', ['1']),
  ...setEach('errno', ['0']),
  ...setEach('toString', ['1']),
  ...setEach('__proto__', ['1']),
  set('a NUL', ['listen_port=7777\0']),
  set('bytes that are no text', ['listen_port=\u00ff\u00fe']),
  set('a private key twice', [`private_key=${PRIVATE_KEY}`, `private_key=${KEY}`]),
  set('a right key and a wrong one', ['fwmark=3', 'foo=1']),
  ...['endpoint=192.0.2.1:1', 'allowed_ip=10.0.0.0/8', 'remove=true', 'protocol_version=1', 'update_only=true'].map(
    (line) => set(`${line} before any peer`, [line]),
  ),
];

const peerKeys: Dialogue[] = [
  setPeer('a peer without anything', []),
  setPeer('a peer that is there already', [], { before: CONFIGURED }),
  set('a peer of all zeros', [`public_key=${ZERO}`]),
  ...setEach('public_key', ['', KEY.slice(2), KEY.toUpperCase(), `${KEY}ab`]),
  ...setEach('preshared_key', [KEY, ZERO, '', 'ab', KEY.toUpperCase()], {
    peer: true,
    before: [PEER, `preshared_key=${'12'.repeat(32)}`],
  }),
  ...setEach('persistent_keepalive_interval', ['5', '0', '65535', '65536', 'off', '', '0x19', '-1', '025'], {
    peer: true,
    before: [PEER, 'persistent_keepalive_interval=25'],
  }),
  ...setEach('protocol_version', ['1', '2', '', '01'], { peer: true }),
  ...setEach('update_only', ['false', '1', ''], { peer: true }),
  ...setEach('rx_bytes', ['1'], { peer: true }),
  ...setEach('last_handshake_time_sec', ['1'], { peer: true }),
  ...['listen_port=7777', `private_key=${KEY}`, 'fwmark=1', 'replace_peers=true', 'foo=1'].map((line) =>
    setPeer(`${line} behind a peer`, [line]),
  ),
  setPeer('remove', ['remove=true'], { before: CONFIGURED }),
  setPeer('remove nobody', ['remove=true']),
  setPeer('remove=false', ['remove=false'], { before: CONFIGURED }),
  setPeer('remove, then more of the same peer', ['remove=true', 'allowed_ip=12.0.0.0/8'], { before: CONFIGURED }),
  setPeer('remove behind more', ['allowed_ip=12.0.0.0/8', 'remove=true'], { before: CONFIGURED }),
  setPeer('remove, then add again', ['remove=true', PEER, 'allowed_ip=12.0.0.0/8'], { before: CONFIGURED }),
  setPeer('remove, then a wrong key', ['remove=true', 'foo=1'], { before: CONFIGURED }),
  setPeer('update_only of nobody', ['update_only=true', 'allowed_ip=10.0.0.0/8', `preshared_key=${KEY}`]),
  setPeer('update_only of nobody, with a wrong value', ['update_only=true', 'allowed_ip=x']),
  setPeer('update_only, late', ['allowed_ip=10.0.0.0/8', 'update_only=true']),
  setPeer('update_only', ['update_only=true', 'allowed_ip=11.0.0.0/8'], { before: CONFIGURED }),
  setPeer('update_only and remove', ['update_only=true', 'remove=true'], { before: CONFIGURED }),
  setPeer('update_only of nobody, then the same peer', ['update_only=true', PEER, 'allowed_ip=10.0.0.0/8']),
  setPeer('the same peer twice', ['allowed_ip=10.0.0.0/8', PEER, 'allowed_ip=11.0.0.0/8']),
  setPeer('replace_peers, then the same peer', [], { before: CONFIGURED }),
  set('replace all peers by another', ['replace_peers=true', OTHER_PEER], { before: CONFIGURED }),
];

const allowedIps: Dialogue[] = [
  ...setEach(
    'allowed_ip',
    [
      ...['10.1.2.3/8', '2001:db8::1/32', '0.0.0.0/0', '::/0', '192.0.2.1/32', '10.0.0.0/8', '10.0.0.0/16'],
      ...[
        '10.1.2.3',
        '2001:db8::1',
        '10.0.0.0/33',
        '::/129',
        '10.0.0.0/-1',
        '10.0.0.0/08',
        '10.0.0.0/',
        '10.0.0.0/255.0.0.0',
      ],
      ...[
        '',
        '/',
        '010.0.0.0/8',
        '10/8',
        '10.0.0/24',
        '10.0.0.0/8,11.0.0.0/8',
        ' 10.0.0.0/8',
        'fe80::1%lo/64',
        '+11.0.0.0/8',
      ],
      ...[
        '::ffff:10.0.0.1/128',
        '::ffff:10.0.0.0/104',
        '::10.0.0.1/128',
        '64:ff9b::10.0.0.1/128',
        '::1/128',
        '--10.0.0.0/8',
      ],
      ...[
        '2001:DB8:0:0:1:0:0:1/128',
        '2001:db8:0:1:1:1:1:1/128',
        '2001:db8:0:0:1::/80',
        '1:0:0:2:0:0:0:3/128',
        ':::/0',
      ],
      ...[
        '1::2::3/128',
        '12345::/16',
        '1:2:3:4:5:6:7/128',
        '1:2:3:4:5:6:7:8:9/128',
        '1:2:3:4:5:6:7::/128',
        '::256.0.0.1/128',
      ],
    ],
    { peer: true, before: CONFIGURED },
  ),
  ...setEach('replace_allowed_ips', ['true', 'false', ''], { peer: true, before: CONFIGURED }),
  setPeer('replace, then add', ['replace_allowed_ips=true', 'allowed_ip=11.0.0.0/8'], { before: CONFIGURED }),
  setPeer('add, then replace', ['allowed_ip=11.0.0.0/8', 'replace_allowed_ips=true'], { before: CONFIGURED }),
  setPeer('add, replace, add', ['allowed_ip=11.0.0.0/8', 'replace_allowed_ips=true', 'allowed_ip=12.0.0.0/8']),
  set('take over what another peer has', [OTHER_PEER, 'allowed_ip=10.9.9.9/8'], { before: CONFIGURED }),
  setPeer('give and take within one operation', ['allowed_ip=10.0.0.0/8', OTHER_PEER, 'allowed_ip=10.0.0.0/8']),
  setPeer(
    'the order in which they are listed',
    ['fd00::/8', '10.0.0.0/16', '1.0.0.0/8', '::/0', '0.0.0.0/0', '10.0.0.0/16', '1.0.0.0/9'].map(
      (p) => `allowed_ip=${p}`,
    ),
  ),
  setPeer('one prefix again and again', Array<string>(50).fill('allowed_ip=10.0.0.0/8')),
  setPeer('allowed_ip=-10.0.0.0/8', ['allowed_ip=-10.0.0.0/8'], {
    before: CONFIGURED,
    differs: { because: 'the minus sign is newer', ours: /^errno=0\n\n(?!.*allowed_ip).*public_key/s },
  }),
  setPeer('allowed_ip=10.0.0.0/+8', ['allowed_ip=10.0.0.0/+8'], {
    differs: { because: "the sign was a bug of Go's parser", ours: /^errno=-22\n\nlisten_port=FREE\nerrno=0\n\n$/ },
  }),
];

const endpoints: Dialogue[] = [
  ...setEach(
    'endpoint',
    [
      ...['192.0.2.1:51820', '[2001:db8::1]:51820', '[2001:DB8:0::1]:51820', '0.0.0.0:1', '[::]:1', '224.0.0.1:1'],
      ...[
        '192.0.2.1:0',
        '192.0.2.1:65536',
        '192.0.2.1:007777',
        '192.0.2.1:-1',
        '192.0.2.1:+1',
        '192.0.2.1:http',
        '192.0.2.1:',
      ],
      ...[
        '2001:db8::1:51820',
        '[192.0.2.1]:51820',
        '[2001:db8::1]',
        '192.0.2.1',
        'localhost:51820',
        '',
        ':51820',
        '[]:1',
      ],
      ...[
        '192.000.002.001:1',
        '192.0.2:1',
        '192.0.2.1:1:1',
        ' 192.0.2.1:1',
        '[fe80::1]:1',
        '[fe80::1%nope0]:1',
        '[fe80::1%]:1',
      ],
    ],
    { peer: true },
  ),
  setPeer('an endpoint is kept', ['persistent_keepalive_interval=0'], { before: CONFIGURED }),
  ...['[fe80::1%1]:51820', '[fe80::1%lo]:51820'].map((endpoint) =>
    setPeer(`endpoint=${endpoint}`, [`endpoint=${endpoint}`], {
      differs: { because: 'the wireguard-go of 2022 does not show zones', ours: /endpoint=\[fe80::1%1\]:51820\n/ },
    }),
  ),
  setPeer('endpoint=[::ffff:192.0.2.1]:51820', ['endpoint=[::ffff:192.0.2.1]:51820'], {
    differs: { because: 'no IPv6 socket reaches a mapped address', ours: /endpoint=192\.0\.2\.1:51820\n/ },
  }),
];

const ownKey: Dialogue[] = [
  set('our own key as a peer', [`private_key=${PRIVATE_KEY}`, 'public_key=OWN', 'allowed_ip=10.0.0.0/8']),
  set('our own key as a peer, later', ['public_key=OWN', 'allowed_ip=10.0.0.0/8'], {
    before: [`private_key=${PRIVATE_KEY}`],
  }),
  set('a peer whose key becomes ours', [`private_key=${PRIVATE_KEY}`], {
    before: ['public_key=OWN', 'allowed_ip=10.0.0.0/8', ...CONFIGURED],
  }),
  set('our own key with a wrong value', ['public_key=OWN', 'allowed_ip=x'], { before: [`private_key=${PRIVATE_KEY}`] }),
];

/** `OWN` stands for the public key of `OWN_PRIVATE_KEY`. */
export const OWN_PRIVATE_KEY = PRIVATE_KEY;
export const DIALOGUES: readonly Dialogue[] = [
  ...wholeOperations,
  ...deviceKeys,
  ...peerKeys,
  ...allowedIps,
  ...endpoints,
  ...ownKey,
];
/** What brings a device back to the state before any dialogue. */
export const RESET = `set=1\nprivate_key=${ZERO}\nlisten_port=0\nfwmark=0\nreplace_peers=true\n\n`;
