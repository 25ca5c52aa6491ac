import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { queryStatus } from '../../lab/daemons.ts';
import { isRunning } from '../../lab/processes.ts';
import { nodePaths } from '../../lab/state.ts';
import { nodeNumbers, type Topology } from '../../lab/topology.ts';
import { namespaceName } from '../../lab/underlay.ts';
import { TestLab, until } from './lab-for-testing.ts';

const SHAPES: [nodes: number, topology: Topology, victim: number][] = [
  [3, 'line', 2],
  [5, 'ring', 4],
];
for (const [count, topology, victim] of SHAPES) {
  describe(`a mesh of ${count} nodes, the links a ${topology}`, () => {
    let lab: TestLab;
    before(async () => (lab = await TestLab.raise('mesh', count, topology)));
    after(() => lab?.remove());

    it('lets every node ping every other', () =>
      lab.explain(async () => assert.deepEqual(await lab.unansweredPings(), [])));

    it('finds by beacon the nodes that share a link, and only those', () =>
      lab.explain(async () => {
        const nodes = (await queryStatus(nodePaths(lab.plan.lab, 1).socket))?.nodes ?? [];
        const foundBy = Object.fromEntries(nodes.map((node) => [node.hostName, node.foundBy]));
        assert.equal(foundBy['n2'], 'beacon');
        assert.notEqual(foundBy['n3'], 'beacon');
      }));

    it('reaches a node again whose daemon was killed and started again, and nobody else needs to do a thing', () =>
      lab.explain(async () => {
        const others = nodeNumbers(count).filter((node) => node !== victim);
        const othersBefore = others.map((node) => lab.daemonOf(node));
        const { socket } = nodePaths(lab.plan.lab, victim);
        const addressBefore = (await queryStatus(socket))?.self.address;
        const killed = lab.daemonOf(victim);
        process.kill(killed.pid, 'SIGKILL');
        await until('the killed daemon is gone', () => !isRunning(killed));
        await lab.restartDaemon(victim);

        await lab.waitForTunnels();
        assert.deepEqual(await lab.unansweredPings(), []);
        assert.equal((await queryStatus(socket))?.self.address, addressBefore);
        assert.deepEqual(
          others.map((node) => lab.daemonOf(node)),
          othersBefore,
        );
      }));

    it('is left without a trace on the machine by a daemon that is told to end, and the others know at once', () =>
      lab.explain(async () => {
        const { socket } = nodePaths(lab.plan.lab, victim);
        const ending = lab.daemonOf(victim);
        process.kill(ending.pid, 'SIGTERM');
        await until('the daemon is gone', () => !isRunning(ending));

        const namespace = namespaceName(lab.plan.lab, victim);
        const ip = (...args: string[]) => execFileSync('ip', ['-n', namespace, ...args], { encoding: 'utf8' });
        assert.doesNotMatch(ip('link', 'show'), /wm0/);
        assert.doesNotMatch(ip('-6', 'route', 'show', 'table', 'all'), /fd77/);
        // The first line of /proc/net/udp6 is its heading.
        const sockets = execFileSync('ip', ['netns', 'exec', namespace, 'cat', '/proc/net/udp', '/proc/net/udp6']);
        assert.equal(sockets.toString().trimEnd().split('\n').length, 2);
        assert.ok(!existsSync(socket));

        // Three unanswered probes would take 15 s to tell.
        const hasUp = async (node: number) =>
          (await queryStatus(nodePaths(lab.plan.lab, node).socket))?.nodes.some(
            ({ hostName, state }) => hostName === `n${victim}` && state === 'up',
          ) ?? true;
        const others = nodeNumbers(count).filter((node) => node !== victim);
        await until(
          'nobody has a tunnel to the node that left',
          async () => !(await Promise.all(others.map(hasUp))).includes(true),
          5000,
        );
      }));
  });
}
