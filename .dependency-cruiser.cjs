// Who may import whom: the table of docs/architecture.md, as a check.
const mayImport = {
  inet: [],
  machine: ['inet'],
  api: ['inet'],
  packet: [],
  crypto: [],
  linux: [],
  babel: [],
  wireguard: ['crypto'],
  mesh: ['babel', 'wireguard', 'crypto'],
  device: ['wireguard', 'packet', 'linux', 'crypto'],
  gateway: ['linux', 'mesh'],
  daemon: ['api', 'packet', 'crypto', 'linux', 'babel', 'wireguard', 'mesh', 'device', 'gateway'],
  cli: ['api'],
};
const shared = ['inet', 'machine'];
const pure = 'inet|machine|packet|wireguard|babel|mesh';
// Tests may build what they test out of real parts (a machine with real cryptography, say).
const notTests = '\\.test\\.ts$';

const layering = Object.entries(mayImport).map(([folder, below]) => ({
  name: `${folder}-may-import-${below.join('-') || 'nothing'}`,
  severity: 'error',
  comment: 'Imports point downwards (docs/architecture.md). Pass the value in, or move the code.',
  from: { path: `^src/${folder}/`, pathNot: notTests },
  to: { path: '^(src/.+|lab|sim|test|bench|bin)/', pathNot: `^src/(${[folder, ...below, ...shared].join('|')})/` },
}));

module.exports = {
  forbidden: [
    ...layering,
    {
      name: 'shipped-alone',
      severity: 'error',
      comment: 'The package has neither benchmarks nor tests nor the simulator (`files` in package.json).',
      from: { path: '^(src|bin|lab)/', pathNot: ['-for-testing\\.ts$', notTests, '^lab/compare'] },
      to: { path: '^(bench|sim|test)/' },
    },
    {
      name: 'sans-io',
      severity: 'error',
      comment: 'These folders take bytes, time and randomness as arguments.',
      from: { path: `^src/(${pure})/`, pathNot: notTests },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'only-primitives',
      severity: 'error',
      comment: 'Pure floors get Primitives injected.',
      from: { path: `^src/(${pure})/`, pathNot: ['-for-testing\\.ts$', notTests] },
      to: { path: '^src/crypto/', pathNot: '^src/crypto/primitives\\.ts$' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      comment: 'A cycle means two files are one.',
      from: {},
      to: { circular: true },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
  },
};
