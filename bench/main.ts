/** `npm run bench -- throughput`: measures against peers in the same run, and prints ratios. Needs root. */
import { Command, InvalidArgumentError } from 'commander';
import { formatComparison, compareThroughput } from './throughput.ts';

function atLeastOne(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('a whole number from 1 is wanted');
  return value;
}

const program = new Command('bench').description('Benchmarks that print ratios against peers of the same run.');
program
  .command('throughput')
  .description('TCP, one flow, between two namespaces: wireguard-ts and wireguard-go in turn')
  .option('--rounds <n>', 'rounds of each', atLeastOne, 5)
  .option('--seconds <n>', 'length of a round', atLeastOne, 5)
  .option('--json', 'print JSON')
  .action(async ({ rounds, seconds, json }: { rounds: number; seconds: number; json?: true }) => {
    const comparison = await compareThroughput({
      rounds,
      seconds,
      onRound: (line) => process.stderr.write(`${line}\n`),
    });
    process.stdout.write(json ? `${JSON.stringify(comparison, undefined, 2)}\n` : formatComparison(comparison));
  });
await program.parseAsync();
