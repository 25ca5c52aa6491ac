/** The namespaces and links of a scenario: made, changed while it runs, and let go. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { namespacePath, runIpBatch } from '../../src/linux/index.ts';
import { LinkEmulator } from '../emulation/link-emulator.ts';
import { LabError } from '../lab-error.ts';
import { commandIn, turnOn } from '../namespaces.ts';
import type { Impairments, LinkEnd, Scenario, ScenarioLink, ScenarioNode } from '../scenario/scenario.ts';
import { labDirectory } from '../state.ts';
import { cablesNamespace, namespaceOf } from '../underlay.ts';
import * as wiring from './wiring.ts';

const execute = promisify(execFile);

/** While a node moves. Linux looks at carriers that went once a second. */
const UNPLUGGED_MS = 1200;

/** An end of a link that is emulated, and where it is now. */
interface EmulatedEnd {
  readonly end: LinkEnd;
  readonly madeFor: ScenarioLink;
}

export class Network {
  readonly #lab: string;
  readonly #scenario: Scenario;
  readonly #emulatedLinks: readonly ScenarioLink[];
  readonly #emulatedEnds: readonly EmulatedEnd[];
  /** The interface of each node on each link, by `NODE LINK`, with the addresses it has now: both change by moves. */
  readonly #interfaces = new Map<string, { end: LinkEnd; madeFor: ScenarioLink; addresses: readonly string[] }>();
  readonly #cut = new Set<string>();
  #emulator: LinkEmulator | undefined;

  /** @throws IpCommandError, LabError */
  static async create(lab: string, scenario: Scenario): Promise<Network> {
    const network = new Network(lab, scenario);
    await network.#create();
    return network;
  }

  private constructor(lab: string, scenario: Scenario) {
    this.#lab = lab;
    this.#scenario = scenario;
    this.#emulatedLinks = scenario.links.filter(({ emulated }) => emulated !== undefined);
    this.#emulatedEnds = this.#emulatedLinks.flatMap((madeFor) => madeFor.ends.map((end) => ({ end, madeFor })));
    for (const link of scenario.links) {
      for (const end of link.ends) {
        this.#interfaces.set(`${end.node} ${link.name}`, { end, madeFor: link, addresses: end.addresses });
      }
    }
  }

  async #create(): Promise<void> {
    const { nodes, links, seed } = this.#scenario;
    const cables = cablesNamespace(this.#lab);
    await runIpBatch(wiring.namespaceLines(this.#lab, nodes));
    // Bridges and cables would else have addresses, and say so on the links.
    await turnOn(cables, ['net/ipv6/conf/all/disable_ipv6', 'net/ipv6/conf/default/disable_ipv6']);
    const lines = links
      .filter(({ emulated }) => emulated === undefined)
      .flatMap((link) => wiring.cableLines(this.#lab, this.#scenario, link));
    if (lines.length > 0) await runIpBatch(lines, { namespace: cables });
    if (this.#emulatedLinks.length > 0) {
      this.#emulator = await LinkEmulator.start({
        seed,
        links: this.#emulatedLinks.map(({ emulated }) => emulated as Impairments),
        ends: this.#emulatedEnds.map(({ end, madeFor }) => ({
          namespacePath: namespacePath(namespaceOf(this.#lab, end.node)),
          interface: end.interface,
          link: this.#emulatedLinks.indexOf(madeFor),
        })),
      });
    }
    for (const node of nodes) await this.#setUp(node);
    this.#record();
  }

  async #setUp(node: ScenarioNode): Promise<void> {
    const namespace = namespaceOf(this.#lab, node.name);
    if (node.forward) await turnOn(namespace, ['net/ipv4/ip_forward', 'net/ipv6/conf/all/forwarding']);
    await runIpBatch(wiring.nodeLines(this.#scenario, node), { namespace });
    if (node.nat === undefined) return;
    const outside = this.#interfaces.get(`${node.name} ${node.nat.outside}`)?.end.interface ?? '';
    const file = `${labDirectory(this.#lab)}/${node.name}.nft`;
    writeFileSync(file, wiring.natRules(outside, node.nat.ports), { mode: 0o600 });
    const nft = commandIn(namespace, ['nft', '-f', file]);
    try {
      await execute(nft.file, nft.args);
    } catch (error) {
      const [words] = ((error as { stderr?: string }).stderr ?? '').split('\n');
      throw new LabError(`nft refused the rules of ${node.name}: ${words}`);
    }
  }

  /** Nothing gets through any more; ends notice if `how` is `carrier`. */
  async cut(name: string, how: 'silent' | 'carrier'): Promise<void> {
    const link = this.#link(name);
    if (link.emulated === undefined) await this.#cables(wiring.cutLines(this.#scenario, link, how));
    else await this.#emulator?.change({ kind: 'cut', link: this.#emulatedLinks.indexOf(link), how });
    this.#cut.add(name);
    this.#record();
  }

  async heal(name: string): Promise<void> {
    const link = this.#link(name);
    if (link.emulated === undefined) await this.#cables(wiring.healLines(this.#scenario, link));
    else await this.#emulator?.change({ kind: 'heal', link: this.#emulatedLinks.indexOf(link) });
    this.#cut.delete(name);
    this.#record();
  }

  /**
   * Pulls the node's cable from one link and plugs it in at another; the interface stays, with its addresses unless
   * others are given. Without a moment between, the kernel would go on with the hardware addresses of the old link.
   */
  async move(name: string, from: string, to: string, addresses?: readonly string[]): Promise<void> {
    const here = this.#interface(name, from);
    const { links, nodes } = this.#scenario;
    const target = this.#link(to);
    if (target.emulated === undefined) {
      const node = nodes.find((candidate) => candidate.name === name) as ScenarioNode;
      const made = links.indexOf(here.madeFor);
      await this.#cables(wiring.unplugLines(node, made));
      await delay(UNPLUGGED_MS);
      await this.#cables(wiring.plugLines(node, made, links.indexOf(target)));
    } else {
      const end = this.#emulatedEnds.findIndex((candidate) => candidate.end === here.end);
      await this.#emulator?.change({ kind: 'unplug', end });
      await delay(UNPLUGGED_MS);
      await this.#emulator?.change({ kind: 'move', end, link: this.#emulatedLinks.indexOf(target) });
    }
    this.#interfaces.delete(`${name} ${from}`);
    this.#interfaces.set(`${name} ${to}`, here);
    if (addresses !== undefined) await this.readdress(name, to, addresses);
  }

  /** Gives the node's interface on a link other addresses than the scenario's; the link-local one stays. */
  async readdress(node: string, link: string, addresses: readonly string[]): Promise<void> {
    const here = this.#interface(node, link);
    const lines = wiring.readdressLines(here.end.interface, here.addresses, addresses);
    await runIpBatch(lines, { namespace: namespaceOf(this.#lab, node) });
    this.#interfaces.set(`${node} ${link}`, { ...here, addresses });
  }

  /** @throws LabError if links do not do any more what they should */
  requireHealth(): void {
    this.#emulator?.requireHealth();
  }

  /** Ends the emulation. Namespaces go with the lab. */
  async close(): Promise<void> {
    await this.#emulator?.stop();
    this.#emulator = undefined;
  }

  async #cables(lines: readonly string[]): Promise<void> {
    await runIpBatch(lines, { namespace: cablesNamespace(this.#lab) });
  }

  /** For `lab graph`, which looks from outside. */
  #record(): void {
    writeFileSync(`${labDirectory(this.#lab)}/cut-links.json`, JSON.stringify([...this.#cut]), { mode: 0o600 });
  }

  #link(name: string): ScenarioLink {
    return this.#scenario.links.find((link) => link.name === name) as ScenarioLink;
  }

  #interface(node: string, link: string) {
    const found = this.#interfaces.get(`${node} ${link}`);
    if (found === undefined) throw new RangeError(`${node} is not on ${link}`);
    return found;
  }
}
