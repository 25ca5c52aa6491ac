import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NodeDocument, StatusDocument } from '../api/index.ts';
import { formatAge, formatBytes, renderStatus } from './status-table.ts';

const NOW = 1_700_000_000_000;

const BETA: NodeDocument = {
  nodeId: 'be'.repeat(28),
  address: 'fd77:bebe::1',
  hostName: 'beta',
  endpoint: '192.0.2.7:7077',
  foundBy: 'beacon',
  state: 'up',
  path: 'direct',
  isNeighbour: true,
  lastHandshakeAtUnixMs: NOW - 12_345,
  rxBytes: 1536,
  txBytes: 10,
  roundTripTimeMs: 0.613,
  pathMtu: 1328,
};

function statusOf(...nodes: NodeDocument[]): StatusDocument {
  return {
    self: {
      nodeId: 'aa'.repeat(28),
      address: 'fd77:aaaa::1',
      hostName: 'alpha',
      meshName: 'home',
      sequence: 1,
      interface: 'wm0',
      port: 7077,
      wireGuardPublicKey: 'AAAA',
      trust: 'open',
      links: ['eth0', 'eth1'],
      startedAtUnixMs: NOW,
    },
    nodes,
    bootstraps: [],
    networks: { offered: [], imported: [] },
    host: { interfaceUp: true, changes: [] },
    drops: {},
  };
}

describe('the status table', () => {
  it('says that the table of nodes is full, and what to do', () => {
    const status = { ...statusOf(), drops: { 'table-full': 7 } };
    assert.match(renderStatus(status, NOW, false), /^the table of nodes is full, 7 were refused; choose .* "--pin"$/m);
  });

  it('names bootstrap endpoints that do not answer', () => {
    const bootstraps = [
      { endpoint: '192.0.2.1:7077', state: 'silent' as const },
      { endpoint: '192.0.2.2:7077', state: 'answers' as const },
    ];
    const text = renderStatus({ ...statusOf(), bootstraps }, NOW, false);
    assert.match(text, /\nbootstrap 192\.0\.2\.1:7077 does not answer$/);
    assert.doesNotMatch(text, /192\.0\.2\.2/);
  });

  it('holds lines about this node and a row for each other', () => {
    const gamma: NodeDocument = {
      nodeId: 'ca'.repeat(28),
      address: 'fd77::2',
      hostName: 'gamma',
      foundBy: 'gossip',
      state: 'distant',
      path: 'relayed',
      via: 'beta',
      metric: 192,
      isNeighbour: false,
      endpoint: '[fd77::2]:7079',
      rxBytes: 0,
      txBytes: 0,
    };
    assert.equal(
      renderStatus(statusOf(BETA, gamma), NOW, false),
      [
        'alpha  fd77:aaaa::1  on wm0, UDP port 7077, links eth0, eth1',
        `node id ${'aa'.repeat(28)}`,
        'mesh "home", trust open: 2 other nodes, 1 direct, 1 relayed',
        '',
        'NODE   ADDRESS       PATH      ENDPOINT        FOUND BY  HANDSHAKE  RECEIVED  SENT  ROUND TRIP  MTU   STATE',
        'beta   fd77:bebe::1  direct    192.0.2.7:7077  beacon    12 s       1.5 KiB   10 B  0.6 ms      1328  up',
        'gamma  fd77::2       via beta  -               gossip    never      0 B       0 B   -           -     distant',
      ].join('\n'),
    );
  });

  it('is only the lines where no other node is known', () => {
    assert.match(renderStatus(statusOf(), NOW, false), /trust open: 0 other nodes, 0 direct, 0 relayed$/);
  });

  it('says what others did on this host of late, and that the interface is down', () => {
    const at = (secondsAgo: number) => NOW - secondsAgo * 1000;
    const changes = [
      { atUnixMs: at(7200), words: 'long ago' },
      { atUnixMs: at(5), words: 'somebody removed a rule: put back' },
    ];
    const shown = renderStatus({ ...statusOf(), host: { interfaceUp: false, changes } }, NOW, false).split('\n');
    assert.deepEqual(shown.slice(3), [
      'wm0 is down: nothing goes through the mesh',
      '5 s ago: somebody removed a rule: put back',
    ]);
  });

  it('does not let a host name steer the terminal', () => {
    const shown = renderStatus(statusOf({ ...BETA, hostName: 'be\u001b[2Jta\n\u202e' }), NOW, false);
    assert.match(shown, /^be\?\[2Jta\?\? /m);
  });
});

describe('two nodes of one name', () => {
  it('are told apart by their node ids, and so is what is reached via one of them', () => {
    const twin: NodeDocument = {
      ...BETA,
      nodeId: 'ca'.repeat(28),
      path: 'relayed',
      via: 'beta',
      viaNodeId: BETA.nodeId,
    };
    const other: NodeDocument = { ...BETA, hostName: 'gamma', nodeId: '06'.repeat(28) };
    const names = renderStatus(statusOf(BETA, twin, other), NOW, false)
      .split('\n')
      .slice(5);
    assert.match(names[0], /^beta \(bebebebe\)  fd77/);
    assert.match(names[1], /^beta \(cacacaca\)  fd77:bebe::1  via beta \(bebebebe\)  /);
    assert.match(names[2], /^gamma            fd77/);
  });

  it('are told apart where one is this node', () => {
    assert.match(renderStatus(statusOf({ ...BETA, hostName: 'alpha' }), NOW, false), /^alpha \(bebebebe\)  fd77/m);
  });
});

describe('the age of a handshake', () => {
  const rows: [ageMs: number, text: string][] = [
    [-5, '0 s'],
    [119_999, '119 s'],
    [120_000, '2 min'],
    [7_200_000, '2 h'],
    [172_800_000, '2 d'],
  ];
  for (const [ageMs, text] of rows) it(`${ageMs} ms is "${text}"`, () => assert.equal(formatAge(ageMs), text));
});

describe('an amount of bytes', () => {
  const rows: [bytes: number, text: string][] = [
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [5 * 1024 ** 3, '5.0 GiB'],
    [2 ** 53, '8192.0 TiB'],
  ];
  for (const [bytes, text] of rows) it(`${bytes} is "${text}"`, () => assert.equal(formatBytes(bytes), text));
});
