/** The lab's scenarios, run as users run them. Needs root, /dev/net/tun, nft, wireguard-go, wg and babeld. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import type { Report, Verdict } from '../../lab/run/report.ts';
import { runningDaemons, WIREMESH } from '../../lab/daemons.ts';
import { isRunning, processReference } from '../../lab/processes.ts';
import { readCapture } from '../../lab/recording/pcapng.ts';
import { labDirectory } from '../../lab/state.ts';
import { namespacesOf, uniqueLabName, until, wiremeshLab } from './lab-for-testing.ts';

const LAB = uniqueLabName('scn');
const DIRECTORY = mkdtempSync(join(tmpdir(), 'wiremesh-scenario-'));

const lab = wiremeshLab.bind(undefined, LAB);

function scenario(text: string): string {
  const file = join(DIRECTORY, 'test.toml');
  writeFileSync(file, text);
  return file;
}

/** Runs a scenario; a failure tells the whole report. */
function reportOf(named: string, ...args: string[]): { report: Report; output: string; code: number | null } {
  const output = join(DIRECTORY, 'kept');
  rmSync(output, { recursive: true, force: true });
  const { code, stdout, stderr } = lab('run', named, '--json', '--output', output, ...args);
  assert.equal(stderr, '');
  return { report: JSON.parse(stdout) as Report, output, code };
}

function assertPassed(verdicts: readonly Verdict[]): void {
  const failed = verdicts.filter(({ passed }) => !passed).map(({ expected, seen }) => `${expected}: ${seen}`);
  assert.deepEqual(failed, []);
}

function assertNothingLeft(): void {
  assert.deepEqual(namespacesOf(LAB), []);
  assert.deepEqual([...runningDaemons(LAB)], []);
  assert.ok(!existsSync(labDirectory(LAB)));
}

const TWO_HOSTS = `
[[node]]
name = "a"
kind = "none"
[[node]]
name = "b"
kind = "none"
`;

describe('wiremesh lab run', () => {
  afterEach(() => {
    lab('down');
    assertNothingLeft();
  });
  after(() => rmSync(DIRECTORY, { recursive: true, force: true }));

  it('says that all came true of neighbours on a slow link, which pass all the lab can ask today', () => {
    const { code, stdout, stderr } = lab('run', 'neighbours');
    assert.deepEqual([code, stderr], [0, ''], `${stdout}${stderr}`);
    assert.match(stdout, /^Two neighbours on a slow link\nnodes: 2 wiremesh; links: 1; seed 1\n/);
    assert.match(stdout, /\n5 passed, 0 failed\n\n$/);
  });

  it('takes delay, loss and rate from an emulated link as they were asked for', () => {
    const { report, output } = reportOf(
      scenario(`title = "Two hosts, and a slow third"
duration = "5 s"
${TWO_HOSTS}
[[node]]
name = "c"
kind = "none"
[[link]]
between = ["a", "b"]
addresses = { a = ["10.0.0.1/24"], b = ["10.0.0.2/24"] }
delay = "20 ms"
loss = "10 %"
[[link]]
between = ["b", "c"]
addresses = { b = ["10.0.1.2/24"], c = ["10.0.1.3/24"] }
rate = "8 Mbit/s"
[[load]]
kind = "ping"
name = "ping"
from = "a"
to = "b"
interval = "4 ms"
end = "4 s"
[[load]]
kind = "tcp"
name = "download"
from = "b"
to = "c"
[[expect]]
what = "survives"
load = "download"
`),
    );
    assertPassed(report.verdicts);
    const { places, frames } = readCapture(readFileSync(join(output, 'capture.pcapng')));
    const echoes = (node: string, type: number) =>
      frames.filter(({ place, bytes }) => places[place].node === node && bytes[23] === 1 && bytes[34] === type);
    const replies = new Map(echoes('b', 0).map((frame) => [Buffer.from(frame.bytes).readUInt16BE(40), frame.at]));
    const requests = echoes('a', 8).map(({ bytes, at }) => ({ at, sequence: Buffer.from(bytes).readUInt16BE(40) }));
    const delays = requests.flatMap(({ at, sequence }) => {
      const repliedAt = replies.get(sequence);
      return repliedAt === undefined ? [] : Number(repliedAt - at) / 1e6;
    });
    // The link may lose the question for the neighbour's address as well, which the kernel repeats after a second.
    const span = Number(requests[requests.length - 1].at - requests[0].at) / 1e6;
    assert.ok(span > 1500, `requests for ${span} ms`);
    assert.ok(requests.length >= (0.99 * span) / 4, `${requests.length} requests in ${span} ms`);
    const lost = 1 - delays.length / requests.length;
    // Five standard deviations to both sides.
    assert.ok(Math.abs(lost - 0.1) < 5 * Math.sqrt((0.1 * 0.9) / requests.length), `${lost} lost`);
    assert.ok(Math.min(...delays) > 19, `a packet came after ${Math.min(...delays)} ms`);
    const megabytes = Number(/^([\d.]+) MB/.exec(report.verdicts[0].seen)?.[1]);
    // 5 s of 8 Mbit/s; a machine under load may give it less time.
    assert.ok(megabytes > 2 && megabytes < 5.5, `${megabytes} MB`);
  });

  it('cuts and heals, with and without carrier, and moves nodes, on links of its own and of the kernel', () => {
    const between = (delay: string) => `
[[node]]
name = "c"
kind = "none"
[[link]]
name = "one"
between = ["a", "b"]
addresses = { a = ["fd00:1::1/64"], b = ["fd00:1::2/64"] }
${delay}
[[link]]
name = "two"
between = ["b", "c"]
addresses = { b = ["fd00:2::2/64"], c = ["fd00:2::3/64"] }
${delay}
`;
    const timeline = `
[[event]]
at = "1 s"
name = "cut"
do = "cut"
link = "one"
[[event]]
at = "1.5 s"
do = "exec"
node = "a"
command = ["grep", "-q", "1", "/sys/class/net/one/carrier"]
[[event]]
at = "4 s"
name = "heal"
do = "heal"
link = "one"
[[event]]
at = "6 s"
do = "cut"
link = "one"
how = "carrier"
[[event]]
at = "6.5 s"
do = "exec"
node = "a"
command = ["grep", "-q", "0", "/sys/class/net/one/carrier"]
[[event]]
at = "7 s"
do = "heal"
link = "one"
[[event]]
at = "7.5 s"
name = "move"
do = "move"
node = "a"
from = "one"
to = "two"
addresses = ["fd00:2::1/64"]
[[expect]]
what = "reachable"
from = "a"
to = "fd00:1::2"
within = "1 s"
[[expect]]
what = "unreachable"
from = "a"
to = "fd00:1::2"
after = "cut"
[[expect]]
what = "reachable"
from = "a"
to = "fd00:1::2"
within = "2 s"
after = "heal"
[[expect]]
what = "reachable"
from = "a"
to = "fd00:2::3"
within = "5 s"
after = "move"
`;
    for (const delay of ['', 'delay = "1 ms"']) {
      const { report, code } = reportOf(scenario(`title = "Moves"\n${TWO_HOSTS}${between(delay)}${timeline}`));
      assertPassed(report.verdicts);
      assert.equal(code, 0);
    }
  });

  it('says what did not come true, ends with 1, and keeps logs and the capture', () => {
    const { report, code, output } = reportOf(
      scenario(`title = "Nobody there"
${TWO_HOSTS}
[[link]]
between = ["a", "b"]
addresses = { a = ["10.0.0.1/24"] }
[[event]]
at = "0 s"
do = "exec"
node = "a"
command = ["false"]
[[expect]]
what = "reachable"
from = "a"
to = "10.0.0.9"
within = "0.3 s"
`),
    );
    assert.equal(code, 1);
    assert.deepEqual(
      report.verdicts.map(({ passed, expected, seen }) => [passed, expected, seen]),
      [
        [false, 'a runs false', 'exit code 1'],
        [false, 'a reaches 10.0.0.9 within 300 ms', '1 of 1 not: a -> 10.0.0.9'],
      ],
    );
    assert.ok(existsSync(join(output, 'capture.pcapng')));
  });

  it('ends with 2 and one line for a file that is wrong, before anything is made', () => {
    const { code, stdout, stderr } = lab('run', scenario('title = "x"\nnods = 3\n'));
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, /^wiremesh: .*test\.toml line 2: unknown key "nods": did you mean "node"\?\n$/);
  });

  // Of "random" it depends on the kernel whether two destinations see the same port.
  const nats: [ports: string, isKept: boolean, isSame: boolean | undefined][] = [
    ['kept', true, true],
    ['changed', false, true],
    ['random', false, undefined],
    ['fully-random', false, false],
  ];
  for (const [ports, isKept, isSame] of nats) {
    it(`masquerades with ports ${ports} as that says, to one destination and to another`, () => {
      const { report, output } = reportOf(
        scenario(`title = "A NAT"
${TWO_HOSTS}
[[node]]
name = "nat"
kind = "none"
nat = { outside = "nat-b", ports = "${ports}" }
[[link]]
between = ["a", "nat"]
addresses = { a = ["10.0.0.1/24"], nat = ["10.0.0.2/24"] }
[[link]]
name = "nat-b"
between = ["nat", "b"]
addresses = { nat = ["10.0.1.1/24"], b = ["10.0.1.2/24", "10.0.1.3/24"] }
[[event]]
at = "0 s"
do = "exec"
node = "a"
command = ["ip", "route", "add", "10.0.1.0/24", "via", "10.0.0.2"]
[[event]]
at = "0.2 s"
do = "exec"
node = "a"
command = ["${process.execPath}", "-e", """
const socket = require('node:dgram').createSocket('udp4');
socket.bind(40000, () => socket.send('x', 9, '10.0.1.2', () => socket.send('x', 9, '10.0.1.3', () => socket.close())));
"""]
`),
      );
      assertPassed(report.verdicts);
      const { places, frames } = readCapture(readFileSync(join(output, 'capture.pcapng')));
      const datagrams = frames.filter(({ place, bytes }) => places[place].interface === 'nat-b' && places[place].node === 'nat' && bytes[23] === 17); // prettier-ignore
      const [first, second] = datagrams.map(({ bytes }) => Buffer.from(bytes).readUInt16BE(34));
      assert.equal(datagrams.length, 2);
      // By chance they can be equal, once in some 60,000 runs.
      assert.deepEqual([first === 40000, first === second], [isKept, isSame ?? first === second]);
    });
  }

  it('runs wireguard-go and babeld on the nodes: a ring survives the loss of a link, without a loop', () => {
    const { report, code } = reportOf('babeld-ring');
    assertPassed(report.verdicts);
    assert.equal(code, 0);
  });

  it('leaves nothing behind when it was killed, once the lab is taken down', async () => {
    const argv = [WIREMESH, 'lab', 'run', 'babeld-ring', '--lab', LAB];
    const run = spawn(process.execPath, argv, { stdio: 'ignore' });
    const reference = processReference(run.pid as number);
    await until('all nodes run daemons', () => runningDaemons(LAB).size === 4);
    run.kill('SIGKILL');
    await until('lab run is gone', () => reference === undefined || !isRunning(reference));
    assert.ok(namespacesOf(LAB).length > 0);
    assert.equal(lab('down').stdout, 'the lab is down\n');
    assertNothingLeft();
  });

  it('draws a scenario', () => {
    const { code, stdout } = lab('graph', 'grid-4x4');
    assert.equal(code, 0);
    assert.match(stdout, /^<svg [^]*>n16<[^]*<\/svg>\n$/);
  });
});
