/** `wiremesh lab graph`: a picture of a scenario, with live state while it runs. */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { runIpCommand } from '../../src/linux/index.ts';
import { queryStatus, processesOf } from '../daemons.ts';
import { findScenario, readScenario } from '../scenario/scenario-file.ts';
import type { Scenario, ScenarioNode } from '../scenario/scenario.ts';
import type { NodeKind } from '../scenario/schema.ts';
import { labDirectory, pathsOf, readState } from '../state.ts';
import { namespaceOf } from '../underlay.ts';
import { tunnelsOf } from '../run/babeld-node.ts';
import { drawScenario, type LiveNode, type LiveState } from './picture.ts';

export interface GraphOptions {
  readonly lab: string;
  readonly kind?: NodeKind;
  readonly output?: string;
}

export async function labGraph(named: string, { lab, kind, output }: GraphOptions): Promise<void> {
  const file = findScenario(named);
  const state = readState(lab);
  const isUp = state?.scenario !== undefined && resolve(state.scenario) === resolve(file);
  // The lab knows which kind it runs; a picture of it shows that.
  const scenario = readScenario(file, kind ?? (isUp ? state.kind : undefined));
  const picture = drawScenario(scenario, isUp ? await look(lab, scenario) : undefined);
  if (output === undefined) process.stdout.write(picture);
  else writeFileSync(output, picture);
}

async function look(lab: string, scenario: Scenario): Promise<LiveState> {
  const nodes = await Promise.all(
    scenario.nodes.map(async (node) => [node.name, await lookAt(lab, scenario, node)] as const),
  );
  const cutLinks = JSON.parse(readFileSync(`${labDirectory(lab)}/cut-links.json`, 'utf8')) as string[];
  return { cutLinks: new Set(cutLinks), nodes: new Map(nodes) };
}

async function lookAt(lab: string, scenario: Scenario, node: ScenarioNode): Promise<LiveNode> {
  const isRunning = processesOf(lab, node.name).length > 0;
  const routes = isRunning ? await routesOf(namespaceOf(lab, node.name)) : [];
  if (node.kind === 'wireguard-go+babeld') {
    return { isRunning, routes, tunnels: tunnelsOf(scenario, node).map(({ other }) => other.name) };
  }
  const status = node.kind === 'wiremesh' ? await queryStatus(pathsOf(lab, node.name).socket) : undefined;
  const up = status?.nodes.filter(({ state }) => state === 'up').map(({ hostName }) => hostName) ?? [];
  return { isRunning, routes, tunnels: up };
}

/** What no administrator and no kernel put there. */
async function routesOf(namespace: string): Promise<string[]> {
  const families = await Promise.all(
    ['-4', '-6'].map((family) => runIpCommand(['-netns', namespace, family, 'route', 'show', 'proto', 'babel'])),
  );
  return families
    .flatMap((text) => text.split('\n'))
    .map((line) => line.trim())
    .filter((line) => line !== '');
}
