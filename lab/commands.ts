/** `wiremesh lab`: a virtual mesh in namespaces of this machine, to try things in (docs/lab.md). */
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { GraphOptions } from './graph/graph.ts';
import type { RunOptions } from './run/run.ts';
import { NODE_KINDS } from './scenario/schema.ts';
import { TOPOLOGIES, type Topology } from './topology.ts';
import { DEFAULT_LAB, LAB_NAME, MAX_NODES } from './underlay.ts';

interface LabChoice {
  readonly lab: string;
}

/** What runs is loaded when it is wanted: the other commands need neither FFI nor the lab. */
export function addLabCommands(program: Command): void {
  const lab = program.command('lab').description('a virtual mesh on this machine, each node in a network namespace');
  addCommand(lab, 'up', 'make the namespaces and links, and start a daemon in each')
    .option('--nodes <number>', 'how many nodes', nodeCount, 3)
    .addOption(new Option('--topology <kind>', 'how they are linked').choices(TOPOLOGIES).default('line'))
    .action(async ({ lab, nodes, topology }: LabChoice & { nodes: number; topology: Topology }) => {
      await (await import('./up.ts')).labUp({ lab, nodes, topology });
    });
  addCommand(lab, 'run', 'raise the network of a scenario, do what it says, and judge (docs/lab.md)')
    .argument('<scenario...>', 'files, or names of some that come with wiremesh; one after the other')
    .addOption(new Option('--kind <kind>', 'what to run where the scenario has wiremesh').choices(NODE_KINDS))
    .option('--output <directory>', 'where to keep logs and capture; by default only those of a failure are kept')
    .option('--stay', 'leave everything up until Ctrl-C')
    .option('--json', 'print the report as JSON')
    .action(async (scenarios: string[], options: RunOptions) => {
      const { labRun } = await import('./run/run.ts');
      for (const scenario of scenarios) process.exitCode = (await labRun(scenario, options)) || (process.exitCode ?? 0);
    });
  addCommand(lab, 'graph', 'draw a scenario as SVG, with what lives in it while it runs')
    .argument('<scenario>', 'a file, or the name of one that comes with wiremesh')
    .addOption(new Option('--kind <kind>', 'what to draw where the scenario has wiremesh').choices(NODE_KINDS))
    .option('--output <file>', 'where to write it; to standard output by default')
    .action(async (scenario: string, options: GraphOptions) => {
      await (await import('./graph/graph.ts')).labGraph(scenario, options);
    });
  addCommand(lab, 'status', 'show the nodes and how many of the others each has a tunnel to')
    .option('--json', 'print all there is to know')
    .action(async ({ lab, json }: LabChoice & { json?: true }) => {
      await (await import('./status.ts')).labStatus(lab, json === true);
    });
  addCommand(lab, 'exec', 'run a command in the namespace of a node')
    .argument('<node>', 'n1, n2, …')
    .argument('<command...>', 'put "--" before it')
    .action(async (node: string, command: string[], { lab }: LabChoice) => {
      process.exitCode = await (await import('./exec.ts')).labExec(lab, node, command);
    });
  addCommand(lab, 'down', 'end the daemons and remove everything, what a crash left behind too').action(
    async ({ lab }: LabChoice) => {
      const wasThere = await (await import('./lab.ts')).removeLab(lab);
      process.stdout.write(wasThere ? 'the lab is down\n' : 'no lab is up: nothing to do\n');
    },
  );
}

function addCommand(parent: Command, name: string, description: string): Command {
  return parent
    .command(name)
    .description(description)
    .allowExcessArguments(false)
    .option('--lab <name>', 'one lab of several', labName, DEFAULT_LAB);
}

function labName(text: string): string {
  if (LAB_NAME.test(text)) return text;
  throw new InvalidArgumentError('It must be 1 to 16 letters a to z and digits.');
}

function nodeCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 2 && count <= MAX_NODES) return count;
  throw new InvalidArgumentError(`It must be a whole number from 2 to ${MAX_NODES}.`);
}
