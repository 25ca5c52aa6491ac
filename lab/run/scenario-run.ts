/** Raises the network of a scenario, starts its daemons, carries out its timeline, and judges. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { TRAIN_PACKETS, TRAIN_PAYLOAD_BYTES, waitAfter } from '../checks/path.ts';
import { commandIn } from '../namespaces.ts';
import { readCapture } from '../recording/pcapng.ts';
import { Recorder } from '../recording/recorder.ts';
import { isAddress, type Scenario } from '../scenario/scenario.ts';
import type { Expectation, Load, ScenarioEvent } from '../scenario/schema.ts';
import { labDirectory } from '../state.ts';
import { namespaceOf } from '../underlay.ts';
import { namespacePath } from '../../src/linux/index.ts';
import { EchoSocket } from './echo-socket.ts';
import { Iperf3Load } from './iperf3-load.ts';
import { Network } from './network.ts';
import { Nodes } from './nodes.ts';
import { PingLoad } from './ping-load.ts';
import { firstAnswers, type Pair } from './reachability.ts';
import { reportOf, type Report, type Verdict } from './report.ts';
import { TcpLoad, type Download, type TcpOutcome } from './tcp-load.ts';
import { verdictOn, type Answers, type Measurements } from './verdicts.ts';

const execute = promisify(execFile);

/** How long what must not be reachable is tried. */
const UNREACHABLE_FOR_MS = 2000;
/** After the last packet of a train: as much as a path may delay it. */
const TRAIN_TAIL_MS = 1000;
const FIRST_TCP_PORT = 5201;
const EXEC_TIMEOUT_MS = 60_000;

/** Something to do, at a time of the scenario. */
interface Step {
  readonly at: number;
  begin(): void | Promise<void>;
}

export function captureFile(lab: string): string {
  return `${labDirectory(lab)}/capture.pcapng`;
}

export class ScenarioRun {
  readonly #lab: string;
  readonly #scenario: Scenario;
  readonly #signal: AbortSignal;
  readonly #nodes: Nodes;
  readonly #log: { at: number; what: string }[] = [];
  /** Failures of what was done, as against what was expected. */
  readonly #failures: Verdict[] = [];
  readonly #eventTimes = new Map<ScenarioEvent, number>();
  readonly #pings = new Map<string, PingLoad>();
  readonly #tcps = new Map<string, Download>();
  readonly #tcpOutcomes = new Map<string, TcpOutcome>();
  readonly #answers = new Map<Expectation, Answers>();
  readonly #trains = new Map<Expectation, readonly [number, number]>();
  readonly #cpuBefore = new Map<Expectation, ReadonlyMap<string, number>>();
  readonly #cpu = new Map<Expectation, ReadonlyMap<string, number>>();
  /** What was begun and not waited for. */
  readonly #underWay: Promise<void>[] = [];
  #network: Network | undefined;
  #recorder: Recorder | undefined;
  #startedAt = 0;

  constructor(lab: string, scenario: Scenario, signal: AbortSignal) {
    this.#lab = lab;
    this.#scenario = scenario;
    this.#signal = signal;
    this.#nodes = new Nodes(lab, scenario);
  }

  /** The lab must have been claimed. Leaves the lab up; `close` is to be called whatever happens. */
  async run(): Promise<Report> {
    const { nodes, expectations } = this.#scenario;
    this.#network = await Network.create(this.#lab, this.#scenario);
    const watched = nodes.map(({ name }) => ({ name, namespacePath: namespacePath(this.#namespace(name)) }));
    this.#recorder = await Recorder.start(captureFile(this.#lab), watched);
    this.#startedAt = await this.#nodes.startAll(this.#signal);
    this.#say('all daemons answer');
    await this.#carryOut();
    this.#network.requireHealth();
    for (const [name, load] of this.#tcps) this.#tcpOutcomes.set(name, load.stop());
    await Promise.all([...this.#pings.values()].map((load) => load.stop()));
    const recorder = this.#recorder;
    this.#recorder = undefined;
    const lost = await recorder.stop();
    // What was not recorded cannot be judged.
    if (lost > 0) this.#failures.push({ passed: false, expected: 'all frames are recorded', seen: `${lost} missed` });
    const measurements = this.#measurements(this.#now());
    const verdicts = expectations.map((expectation) => verdictOn(expectation, measurements));
    return reportOf(this.#scenario, this.#log, [...this.#failures, ...verdicts]);
  }

  async close(): Promise<void> {
    for (const load of this.#tcps.values()) load.stop();
    for (const load of this.#pings.values()) load.abandon();
    await Promise.allSettled(this.#underWay);
    await this.#recorder?.stop();
    await this.#network?.close();
  }

  /** Does everything at its time, and resolves when all that is expected can be decided. */
  async #carryOut(): Promise<void> {
    const { events, loads, expectations, duration } = this.#scenario;
    const steps: Step[] = [
      ...loads.flatMap((load, i) => this.#loadSteps(load, i)),
      ...events.map((event): Step => ({ at: event.at, begin: () => this.#beginEvent(event) })),
      ...expectations.flatMap((expectation) => this.#expectationSteps(expectation)),
      { at: duration, begin: () => undefined },
    ];
    for (const { at, begin } of steps.sort((a, b) => a.at - b.at)) {
      await delay(Math.max(0, at - this.#now()), undefined, { signal: this.#signal });
      await begin();
    }
    await Promise.all(this.#underWay);
    this.#signal.throwIfAborted();
  }

  /** Waited for at the end. What fails before that is not to end the process, which has a lab to take down. */
  #goOn(work: Promise<void>): void {
    work.catch(() => undefined);
    this.#underWay.push(work);
  }

  #loadSteps(load: Load, index: number): Step[] {
    const start = { at: load.start, begin: () => this.#startLoad(load, FIRST_TCP_PORT + index) };
    if (load.end === undefined) return [start];
    const stop = () => {
      const tcp = this.#tcps.get(load.name);
      if (tcp !== undefined) this.#tcpOutcomes.set(load.name, tcp.stop());
      this.#tcps.delete(load.name);
      const ping = this.#pings.get(load.name);
      if (ping !== undefined) this.#goOn(ping.stop());
    };
    return [start, { at: load.end, begin: stop }];
  }

  #startLoad(load: Load, port: number): void {
    const from = this.#namespace(load.from);
    const address = this.#resolve(load.to);
    if (load.kind === 'ping') {
      this.#pings.set(load.name, new PingLoad(from, address, load.interval));
      return;
    }
    const to = this.#namespace(isAddress(load.to) ? this.#ownerOf(load.to) : load.to);
    const Load = load.kind === 'tcp' ? TcpLoad : Iperf3Load;
    this.#tcps.set(load.name, new Load({ from, to, address, port, rate: load.rate }));
  }

  async #beginEvent(event: ScenarioEvent): Promise<void> {
    this.#eventTimes.set(event, this.#now());
    switch (event.do) {
      case 'cut':
        this.#say(`cut ${event.link}${event.how === 'carrier' ? ', with its carrier' : ''}`);
        return this.#network?.cut(event.link, event.how);
      case 'heal':
        this.#say(`heal ${event.link}`);
        return this.#network?.heal(event.link);
      case 'kill':
        this.#say(`kill the daemon of ${event.node}`);
        return this.#nodes.kill(event.node);
      case 'restart':
        this.#say(`restart the daemon of ${event.node}`);
        this.#goOn(this.#restart(event.node));
        return;
      case 'move':
        this.#say(`move ${event.node} from ${event.from} to ${event.to}`);
        this.#goOn(this.#move(event));
        return;
      case 'readdress':
        this.#say(`${event.node} has ${event.addresses.join(', ') || 'no address'} on ${event.link}`);
        return this.#network?.readdress(event.node, event.link, event.addresses);
      case 'exec':
        this.#say(`${event.node} runs ${event.command.join(' ')}`);
        this.#goOn(this.#execute(event.node, event.command));
    }
  }

  async #move({ node, from, to, addresses }: ScenarioEvent & { do: 'move' }): Promise<void> {
    await this.#network?.move(node, from, to, addresses);
    this.#say(`${node} is on ${to}`);
  }

  async #restart(node: string): Promise<void> {
    await this.#nodes.kill(node);
    await this.#nodes.start(node, this.#signal);
    this.#say(`the daemon of ${node} answers`);
  }

  async #execute(node: string, command: readonly string[]): Promise<void> {
    const { file, args } = commandIn(this.#namespace(node), command);
    try {
      await execute(file, args, { timeout: EXEC_TIMEOUT_MS, signal: this.#signal });
    } catch (error) {
      const { code, stderr } = error as { code?: unknown; stderr?: string };
      const words = stderr?.trim().split('\n').at(-1) ?? '';
      const seen = `exit code ${String(code)}${words === '' ? '' : `, ${words}`}`;
      this.#failures.push({ passed: false, expected: `${node} runs ${command.join(' ')}`, seen });
    }
  }

  #expectationSteps(expectation: Expectation): Step[] {
    switch (expectation.what) {
      case 'reachable':
      case 'unreachable': {
        const at = this.#planned(expectation.after);
        return [{ at, begin: () => this.#goOn(this.#seekAnswers(expectation)) }];
      }
      case 'path':
        return [{ at: expectation.at, begin: () => this.#goOn(this.#sendTrain(expectation)) }];
      case 'cpu':
        return [
          { at: expectation.from, begin: () => void this.#cpuBefore.set(expectation, this.#cpuTimes()) },
          { at: expectation.to, begin: () => this.#takeCpu(expectation) },
        ];
      case 'control-traffic':
        return [{ at: expectation.to, begin: () => undefined }];
      case 'outage':
      case 'in-order':
      case 'survives':
      case 'no-loops':
        return [];
    }
  }

  /** When an event is to happen; without a name, the start. */
  #planned(name: string | undefined): number {
    return this.#scenario.events.find((event) => name !== undefined && event.name === name)?.at ?? 0;
  }

  async #seekAnswers(expectation: Extract<Expectation, { what: 'reachable' | 'unreachable' }>): Promise<void> {
    const pairs = this.#pairs(expectation.from, expectation.to);
    const base = expectation.what === 'reachable' ? this.#eventTime(expectation.after) : this.#now();
    const within = expectation.what === 'reachable' ? expectation.within : UNREACHABLE_FOR_MS;
    const answers = await firstAnswers(pairs, this.#startedAt + base + within, this.#signal);
    const answeredAt = answers.map((at) => (at === undefined ? undefined : at - this.#startedAt));
    this.#answers.set(expectation, { pairs, answeredAt });
  }

  #pairs(from: string, to: string): Pair[] {
    const everybody = this.#scenario.nodes.filter(({ kind }) => kind !== 'none').map(({ name }) => name);
    const sources = from === 'all' ? everybody : [from];
    const targets = to === 'all' ? everybody : [to];
    return sources.flatMap((source) =>
      targets
        .filter((target) => target !== source)
        .map((target) => ({
          from: source,
          namespace: this.#namespace(source),
          to: target,
          address: this.#resolve(target),
        })),
    );
  }

  async #sendTrain(expectation: Extract<Expectation, { what: 'path' }>): Promise<void> {
    const from = this.#now();
    const socket = new EchoSocket(this.#namespace(expectation.from), this.#resolve(expectation.to), () => undefined);
    for (let sent = 0; sent < TRAIN_PACKETS; sent++) {
      socket.sendUnasked(TRAIN_PAYLOAD_BYTES);
      await delay(waitAfter(sent));
    }
    socket.close();
    await delay(TRAIN_TAIL_MS);
    this.#trains.set(expectation, [from, this.#now()]);
  }

  #cpuTimes(): Map<string, number> {
    return this.#nodes.cpuTimes();
  }

  #takeCpu(expectation: Extract<Expectation, { what: 'cpu' }>): void {
    const before = this.#cpuBefore.get(expectation);
    const used = [...this.#cpuTimes()].map(([node, time]): [string, number] => [
      node,
      (time - (before?.get(node) ?? 0)) / (expectation.to - expectation.from),
    ]);
    this.#cpu.set(expectation, new Map(used));
  }

  #measurements(end: number): Measurements {
    const times = [...this.#eventTimes].flatMap(([{ name }, at]) => (name === undefined ? [] : at));
    const eventTime = (name: string | undefined) => this.#eventTime(name);
    const unixMs = performance.timeOrigin + this.#startedAt;
    return {
      capture: readCapture(readFileSync(captureFile(this.#lab))),
      captureTime: (at) => BigInt(Math.round((unixMs + at) * 1e6)),
      eventTime,
      nextEventTime: (name) =>
        name === undefined ? end : Math.min(end, ...times.filter((at) => at > eventTime(name))),
      longestOvertaken: (name) => (this.#pings.get(name) as PingLoad).longestOvertaken(),
      outage: (name, from, to) =>
        (this.#pings.get(name) as PingLoad).outage(this.#startedAt + from, this.#startedAt + to),
      answers: this.#answers,
      trains: this.#trains,
      cpu: this.#cpu,
      tcp: this.#tcpOutcomes,
    };
  }

  #eventTime(name: string | undefined): number {
    const event = this.#scenario.events.find((candidate) => name !== undefined && candidate.name === name);
    return event === undefined ? 0 : (this.#eventTimes.get(event) ?? event.at);
  }

  #resolve(target: string): string {
    return isAddress(target) ? target : this.#nodes.addressOf(target);
  }

  /** The node that the scenario gives an address to. */
  #ownerOf(address: string): string {
    const ends = this.#scenario.links.flatMap((link) => link.ends);
    const owner = ends.find(({ addresses }) => addresses.some((own) => own.split('/')[0] === address));
    if (owner === undefined) throw new RangeError(`no node has the address ${address}`);
    return owner.node;
  }

  #namespace(node: string): string {
    return namespaceOf(this.#lab, node);
  }

  #now(): number {
    return performance.now() - this.#startedAt;
  }

  #say(what: string): void {
    this.#log.push({ at: this.#now(), what });
  }
}
