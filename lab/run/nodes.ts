/** The daemons on the nodes of a scenario, of every kind. */
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { stringify } from 'smol-toml';
import { daemonAnswers, processesByDirectory, processesOf, spawnMarked, spawnWiremesh } from '../daemons.ts';
import { LabError } from '../lab-error.ts';
import { isRunning } from '../processes.ts';
import { firstAddress, type Scenario, type ScenarioNode } from '../scenario/scenario.ts';
import { pathsOf } from '../state.ts';
import * as babeld from './babeld-node.ts';
import { overlayAddresses } from './wiring.ts';

const START_TIMEOUT_MS = 20_000;

export class Nodes {
  readonly #lab: string;
  readonly #scenario: Scenario;
  readonly #addresses = new Map<string, string>();
  readonly #keys: ReadonlyMap<string, babeld.TunnelKeys>;

  constructor(lab: string, scenario: Scenario) {
    this.#lab = lab;
    this.#scenario = scenario;
    this.#keys = new Map(scenario.nodes.map(({ name }) => [name, babeld.newTunnelKeys()]));
  }

  /** Starts all daemons, one when the last one answers. @returns when, on the clock of `performance`, the last began */
  async startAll(signal: AbortSignal): Promise<number> {
    let startedAt = performance.now();
    for (const node of this.#scenario.nodes) {
      signal.throwIfAborted();
      if (node.kind === 'none') continue;
      startedAt = performance.now();
      await this.start(node.name, signal);
    }
    return startedAt;
  }

  /** Starts the node's daemon. Resolves when it answers. @throws LabError */
  async start(name: string, signal?: AbortSignal): Promise<void> {
    const node = this.#node(name);
    if (node.kind === 'wiremesh') await this.#startWiremesh(node, signal);
    else if (node.kind === 'wireguard-go+babeld') await this.#startBabeld(node);
  }

  /** Ends the node's daemon, with all its processes, as a loss of power would. */
  async kill(name: string): Promise<void> {
    const processes = processesOf(this.#lab, name);
    for (const { pid } of processes) process.kill(pid, 'SIGKILL');
    while (processes.some(isRunning)) await delay(1);
    // What the kernel clears away a moment later must not be what the next daemon trips over.
    const { socket } = pathsOf(this.#lab, name);
    rmSync(socket, { force: true });
  }

  /** Where others reach the node through the mesh, or where the scenario put it if it is in none. */
  addressOf(name: string): string {
    const node = this.#node(name);
    if (node.kind === 'wireguard-go+babeld') return overlayAddresses(node)[0].split('/')[0];
    const ends = this.#scenario.links.flatMap(({ ends }) => ends.filter((end) => end.node === name));
    const address = this.#addresses.get(name) ?? ends.map(firstAddress).find((first) => first !== undefined);
    if (address === undefined) throw new LabError(`${name} has no address: give it one on a link`);
    return address;
  }

  /** The time all processes of each node's daemon have run, in milliseconds of one core. */
  cpuTimes(): Map<string, number> {
    const byDirectory = processesByDirectory(this.#lab);
    const daemons = this.#scenario.nodes.filter(({ kind }) => kind !== 'none');
    return new Map(
      daemons.map(({ name }) => {
        const processes = byDirectory.get(pathsOf(this.#lab, name).directory) ?? [];
        return [name, processes.reduce((sum, { pid }) => sum + cpuTimeOf(pid), 0)];
      }),
    );
  }

  async #startWiremesh(node: ScenarioNode, signal?: AbortSignal): Promise<void> {
    const { directory } = pathsOf(this.#lab, node.name);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const config = `${directory}/wiremesh.toml`;
    const networks = node.network.length > 0 ? { network: node.network } : {};
    writeFileSync(config, stringify({ ...node.config, ...networks }), { mode: 0o600 });
    const ends = this.#scenario.links.flatMap(({ ends }) => ends.filter((end) => end.node === node.name));
    const links = 'link' in node.config ? [] : ends.map((end) => end.interface);
    const child = spawnWiremesh(this.#lab, node.name, { links, config });
    const status = await daemonAnswers(this.#lab, node.name, child, signal);
    this.#addresses.set(node.name, status.self.address);
  }

  async #startBabeld(node: ScenarioNode): Promise<void> {
    const { directory, log } = pathsOf(this.#lab, node.name);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const tunnels = babeld.tunnelsOf(this.#scenario, node);
    for (const tunnel of tunnels) {
      const [own, far] = [node.name, tunnel.other.name].map((name) => this.#keys.get(name) as babeld.TunnelKeys);
      const text = babeld.tunnelConfiguration(tunnel, own, far);
      writeFileSync(`${directory}/${tunnel.interface}.conf`, text, { mode: 0o600 });
    }
    writeFileSync(`${directory}/babeld.conf`, babeld.babeldConfiguration(this.#scenario, node, tunnels));
    // It would refuse to start where it believes it runs already.
    rmSync(`${directory}/babeld.pid`, { force: true });
    const script = babeld.nodeScript(node, tunnels, directory);
    const child = spawnMarked(this.#lab, node.name, ['sh', '-c', script]);
    const ended = once(child, 'exit').then(() => {
      throw new LabError(`wireguard-go and babeld of ${node.name} did not start: ${lastLine(log)}`);
    });
    ended.catch(() => undefined);
    await Promise.race([ended, this.#becomes(child.pid as number, 'babeld')]);
    child.unref();
  }

  async #becomes(pid: number, command: string): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT_MS;
    while (readFileSync(`/proc/${pid}/comm`, 'latin1').trimEnd() !== command) {
      if (performance.now() > deadline) throw new LabError(`${command} did not start in ${START_TIMEOUT_MS / 1000} s`);
      await delay(10);
    }
  }

  #node(name: string): ScenarioNode {
    return this.#scenario.nodes.find((node) => node.name === name) as ScenarioNode;
  }
}

/** In milliseconds (proc(5), fields 14 and 15 of `/proc/PID/stat`); 0 for a process that has ended since. */
function cpuTimeOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A tick is 1/100 s for programs on all of Linux's common machines, whatever the kernel's own is.
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return 0;
  }
}

function lastLine(log: string): string {
  return readFileSync(log, 'utf8').trimEnd().split('\n').at(-1) || 'they left no word';
}
