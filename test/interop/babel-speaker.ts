/**
 * A Babel speaker of ours as a process, for the tests: `babel-speaker.js JSON`. It writes a line for each change of a
 * route, and each second what it ignored; SIGTERM has it say goodbye.
 */
import { once } from 'node:events';
import { impliedRouterId, Speaker, type InterfaceOptions, type Timing } from '../../src/babel/index.ts';
import { BabelRunner } from '../../src/daemon/babel-runner.ts';
import { KernelRoutes } from '../../src/daemon/kernel-routes.ts';
import { formatPrefix, parseAddress, parsePrefix } from '../../src/inet/index.ts';
import { bootTime } from '../../src/linux/index.ts';

export interface BabelSpeakerSettings {
  /** Announced; the router-id is taken from the first. */
  readonly prefixes: readonly string[];
  readonly timing: Partial<Timing>;
  readonly links: readonly (Pick<InterfaceOptions, 'id' | 'kind' | 'mtu' | 'discovery'> & {
    readonly address: string;
    /** With `unicast` discovery. */
    readonly neighbours?: readonly string[];
    readonly ipv4Address?: string;
  })[];
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const settings = JSON.parse(process.argv[2]) as BabelSpeakerSettings;
const prefixes = settings.prefixes.map((text) => parsePrefix(text)!);
const routerId = impliedRouterId(prefixes[0].address)!;
const speaker = new Speaker({ routerId, seqno: Math.floor(Date.now() / 1000) & 0xffff, chance: Math.random });
const routes = new KernelRoutes((error) => say(`error ${error.message}`));
const runner = await BabelRunner.open(speaker, routes, ({ kind, prefix }) => say(`${kind} ${formatPrefix(prefix)}`));
for (const prefix of prefixes) runner.act((machine, now) => machine.announce(prefix, 0, now));
for (const { address, neighbours = [], ipv4Address, ...link } of settings.links) {
  const ipv4 = ipv4Address === undefined ? undefined : parseAddress(ipv4Address)!;
  const options = { ...link, address: parseAddress(address)!, timing: settings.timing };
  runner.addInterface(ipv4 === undefined ? options : { ...options, ipv4Address: ipv4 });
  for (const neighbour of neighbours) {
    runner.act((machine, now) => machine.addNeighbour(link.id, parseAddress(neighbour)!, now));
  }
}
const report = setInterval(() => {
  for (const { interface: link, cost, rtt } of speaker.neighbours()) say(`neighbour ${link} ${cost} ${rtt ?? '-'}`);
  say(`ignored ${JSON.stringify(Object.fromEntries(speaker.drops))}`);
}, 1000);
say(`ready ${bootTime()}`);
await once(process, 'SIGTERM');
clearInterval(report);
await runner.close();
say('left');
