/** A lab per suite, under a name of its own, and what tests ask of it. Needs root and /dev/net/tun. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startDaemon, runningDaemons, WIREMESH } from '../../lab/daemons.ts';
import { pingAllPairs, type Ping } from '../../lab/echo.ts';
import { createUnderlay, inspectLab, removeLab, startDaemons, waitForTunnels, type LabPlan } from '../../lab/lab.ts';
import type { ProcessReference } from '../../lab/processes.ts';
import { isAbandoned, labDirectory, nodePaths, readState } from '../../lab/state.ts';
import { linksOf, nodeNumbers, type Topology } from '../../lab/topology.ts';

const TUNNEL_TIMEOUT_MS = 60_000;
const PING_TIMEOUT_MS = 15_000;
const COMMAND_TIMEOUT_MS = 120_000;

/** A name for a lab that no other run of the tests uses. */
export function uniqueLabName(label: string): string {
  return `${label}${process.pid}`;
}

/** Runs `wiremesh lab` to its end. One that hangs is killed, since a lab that hangs does not heed SIGTERM either. */
export function wiremeshLab(
  lab: string,
  command: string,
  ...args: readonly string[]
): { code: number | null; stdout: string; stderr: string } {
  const argv = [WIREMESH, 'lab', command, '--lab', lab, ...args];
  const options = { encoding: 'utf8', timeout: COMMAND_TIMEOUT_MS, killSignal: 'SIGKILL' } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, options);
  return { code: status, stdout, stderr };
}

export class TestLab {
  readonly plan: LabPlan;

  /** Raises a lab and waits until all its tunnels are up. */
  static async raise(label: string, nodes: number, topology: Topology): Promise<TestLab> {
    await removeAbandonedLabs();
    const lab = new TestLab({ lab: uniqueLabName(label), nodes, topology });
    await createUnderlay(lab.plan);
    try {
      await lab.explain(async () => {
        await startDaemons(lab.plan, new AbortController().signal);
        await waitForTunnels(lab.plan.lab, TUNNEL_TIMEOUT_MS);
      });
    } catch (error) {
      await lab.remove();
      throw error;
    }
    return lab;
  }

  private constructor(plan: LabPlan) {
    this.plan = plan;
  }

  async remove(): Promise<void> {
    await removeLab(this.plan.lab);
  }

  waitForTunnels(): Promise<void> {
    return waitForTunnels(this.plan.lab, TUNNEL_TIMEOUT_MS);
  }

  /** The pings through the mesh that were not answered, of all pairs. */
  async unansweredPings(): Promise<Ping[]> {
    const { nodes } = await inspectLab(this.plan.lab);
    const addresses = nodes.map(({ name, status }) => {
      if (status === undefined) throw new Error(`the daemon of ${name} does not answer`);
      return status.self.address;
    });
    const pings = await pingAllPairs(this.plan.lab, addresses, randomBytes(64), PING_TIMEOUT_MS);
    return pings.filter(({ roundTripTimeMs }) => roundTripTimeMs === undefined);
  }

  daemonOf(node: number): ProcessReference {
    const daemon = runningDaemons(this.plan.lab).get(nodePaths(this.plan.lab, node).directory);
    if (daemon === undefined) throw new Error(`no daemon of n${node} runs`);
    return daemon;
  }

  async restartDaemon(node: number): Promise<void> {
    await startDaemon(this.plan.lab, node, linksOf(this.plan.topology, this.plan.nodes));
  }

  /** Runs `test`; what it fails with tells the daemons' logs as well. */
  async explain(test: () => Promise<void>): Promise<void> {
    try {
      await test();
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : String(error)}\n${this.#logs()}`, { cause: error });
    }
  }

  #logs(): string {
    const logs = nodeNumbers(this.plan.nodes).map((node) => nodePaths(this.plan.lab, node).log);
    return logs.map((log) => `--- ${log}\n${existsSync(log) ? readFileSync(log, 'utf8') : 'no log'}`).join('\n');
  }
}

/** Removes what killed runs left, whose names nobody will use again. */
async function removeAbandonedLabs(): Promise<void> {
  const base = dirname(labDirectory('any'));
  const labs = existsSync(base) ? readdirSync(base) : [];
  for (const lab of labs) {
    const state = readState(lab);
    if (state !== undefined && isAbandoned(state)) await removeLab(lab);
  }
}

/** Waits until `condition` holds; `what` says which, for the error after `timeoutMs`. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 30_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`in ${timeoutMs / 1000} s it did not come true that ${what}`);
    await delay(20);
  }
}

/** The namespaces that belong to the lab by their names. */
export function namespacesOf(lab: string): string[] {
  return existsSync('/run/netns') ? readdirSync('/run/netns').filter((name) => name.startsWith(`wmlab-${lab}-`)) : [];
}
