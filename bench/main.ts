/** `npm run bench -- MEASURE`: measures against peers in the same run, and prints ratios. Needs root. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { machineUnderTest, QUIET_LOAD } from './machine.ts';
import { judge, type Figure, type Measure } from './measure.ts';
import { allowedIps } from './measures/allowed-ips.ts';
import { cpuPerGigabit } from './measures/cpu-per-gigabit.ts';
import { handshakes } from './measures/handshakes.ts';
import { idlePeers } from './measures/idle-peers.ts';
import { latency } from './measures/latency.ts';
import { memory } from './measures/memory.ts';
import { packetBudget } from './measures/packet-budget.ts';
import { peers } from './measures/peers.ts';
import { start } from './measures/start.ts';
import { stuckLink } from './measures/stuck-link.ts';
import { packetSizes, tcpMeasures } from './measures/tcp.ts';
import { udpMeasures } from './measures/udp.ts';
import { formatReport, type Report } from './table.ts';
import { closeAllHosts } from './tunnels.ts';
import { choosePeer, PEERS } from './wireguard-go.ts';

const MEASURES: readonly Measure[] = [
  ...tcpMeasures,
  ...udpMeasures,
  latency,
  stuckLink,
  cpuPerGigabit,
  peers,
  idlePeers,
  allowedIps,
  handshakes,
  start,
  memory,
  packetSizes,
  packetBudget,
];
const RESULTS = new URL('../../bench/results/', import.meta.url);
const QUICK = { rounds: 1, seconds: 1 };

interface Flags {
  readonly rounds: number;
  readonly seconds: number;
  readonly quick?: true;
  readonly json?: true;
  readonly wireguardGo: (typeof PEERS)[number];
}

async function run(measures: readonly Measure[], { quick, json, wireguardGo, ...given }: Flags): Promise<Report> {
  const { rounds, seconds } = quick ? QUICK : given;
  choosePeer(wireguardGo, tell);
  const machine = machineUnderTest();
  if (machine.loadBefore > QUIET_LOAD) tell(`the load of this machine is ${machine.loadBefore.toFixed(2)}: wait`);
  const figures: Figure[] = [];
  for (const { name, run } of measures) {
    figures.push(...(await run({ rounds, seconds, onRound: (line) => tell(`${name}: ${line}`) })));
  }
  const report = { machine, rounds, seconds, figures: figures.map((figure) => judge(figure, machine.wireguardGo)) };
  process.stdout.write(json ? `${JSON.stringify(report, undefined, 2)}\n` : formatReport(report));
  return report;
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

function atLeastOne(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('a whole number from 1 is wanted');
  return value;
}

function addCommand(name: string, description: string, action: (flags: Flags) => Promise<void>): Command {
  return program
    .command(name)
    .description(description)
    .option('--rounds <n>', 'rounds of each side', atLeastOne, 5)
    .option('--seconds <n>', 'length of one measurement', atLeastOne, 5)
    .option('--quick', 'one short round, to try the benchmark itself')
    .option('--json', 'print JSON')
    .addOption(new Option('--wireguard-go <which>', 'which to measure against').choices(PEERS).default('newest'))
    .action(action);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    // What is being measured fails when its processes end: that is nothing to be told.
    process.on('unhandledRejection', () => undefined);
    void closeAllHosts().finally(() => process.exit(130));
  });
}

const program = new Command('bench').description('Benchmarks that print ratios against peers of the same run.');
for (const measure of MEASURES) {
  const command = addCommand(measure.name, measure.description, async (flags) => void (await run([measure], flags)));
  // What most people ask for, by the word they ask for it.
  if (measure.name === 'tcp-one-flow') command.alias('throughput');
}
addCommand('all', 'all of them, into bench/results/latest.json', async (flags) => {
  const report = await run(MEASURES, flags);
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(new URL('latest.json', RESULTS), `${JSON.stringify(report, undefined, 2)}\n`);
});
await program.parseAsync();
