import { inspectLab, tunnelsUp, type LabNode } from './lab.ts';

/** `wiremesh lab status`: a line a node, or everything as JSON. */
export async function labStatus(lab: string, json: boolean): Promise<void> {
  const { state, nodes } = await inspectLab(lab);
  const text = json
    ? JSON.stringify({ lab, topology: state.topology, scenario: state.scenario, nodes }, undefined, 2)
    : nodes
        .map((node) => (state.topology ? describeNode(node, nodes.length - 1) : describeScenarioNode(node)))
        .join('\n');
  process.stdout.write(`${text}\n`);
}

/** In a scenario a node may have no daemon, or one that is not ours, and need not have tunnels to all. */
function describeScenarioNode({ name, namespace, daemonPid, status }: LabNode): string {
  const daemon = daemonPid === undefined ? 'no daemon' : `daemon ${daemonPid} runs`;
  return `${name.padEnd(12)}  ${[status?.self.address ?? [], `namespace ${namespace}`, daemon].flat().join('  ')}`;
}

function describeNode(node: LabNode, others: number): string {
  const name = node.name.padEnd(4);
  if (node.daemonPid === undefined) return `${name}  no daemon: see ${node.log}`;
  if (node.status === undefined) return `${name}  daemon ${node.daemonPid} does not answer: see ${node.log}`;
  const tunnels = `tunnels to ${tunnelsUp(node)} of ${others} others`;
  return `${name}  ${node.status.self.address}  daemon ${node.daemonPid} up  ${tunnels}`;
}
