import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import {
  formatAddress,
  formatEndpoint,
  formatPrefix,
  parseAddress,
  parseEndpoint,
  type Endpoint,
  type IpAddress,
  type Prefix,
} from '../inet/index.ts';
import { millis, type Machine, type Millis } from '../machine/index.ts';
import type { NodeEvent, NodeInput, NodeOutput, Notice } from '../mesh/index.ts';
import { Wiring, type MeshDevice } from './wiring.ts';

const BYTES = Uint8Array.of(0x77);

/** A node that answers each input with the outputs laid out for it, and a world that writes down what is done to it. */
function wire(outputsByInput: Record<string, NodeOutput[]>, timeoutAt?: number) {
  mock.timers.reset();
  mock.timers.enable({ apis: ['setTimeout'] });
  const seen: string[] = [];
  const outputs: NodeOutput[] = [];
  let now = millis(1_000);
  let nextTimeout = timeoutAt === undefined ? undefined : millis(timeoutAt);
  const node: Machine<NodeInput, NodeOutput> = {
    handle: (input: NodeInput) => void outputs.push(...(outputsByInput[input.kind] ?? [])),
    handleTimeout: (at: Millis) => {
      seen.push(`timeout at ${at}`);
      nextTimeout = undefined;
      outputs.push(...(outputsByInput['timeout'] ?? []));
    },
    poll: () => outputs.shift(),
    nextTimeout: () => nextTimeout,
  };
  const publicState: MeshDevice['publicState'] = () =>
    Promise.resolve({ privateKey: undefined, publicKey: undefined, listenPort: 7077, fwmark: 0, peers: [] });
  const world = {
    device: {
      configure: () => Promise.resolve(void seen.push('configure')),
      setPacketLimits: () => Promise.resolve(void seen.push('packet limits')),
      setRelayRoutes: () => Promise.resolve(void seen.push('relay routes')),
      publicState,
      sendDatagram: (_: Uint8Array, to: Endpoint) => void seen.push(`send to ${formatEndpoint(to)}`),
      sendInTunnel: (_: Uint8Array, to: IpAddress) => void seen.push(`send in tunnel to ${formatAddress(to)}`),
    },
    routeImport: (prefix: Prefix, isWanted: boolean): void =>
      void seen.push(`${isWanted ? 'route' : 'no route'} ${formatPrefix(prefix)}`),
    storeSequence: (sequence: number): void => void seen.push(`store ${sequence}`),
    onBootstrapState: (_endpoint: unknown, state: string): void => void seen.push(`bootstrap ${state}`),
    storeMemory: ({ length }: Uint8Array): void => void seen.push(`store ${length} bytes`),
    storeSeqno: (seqno: number): void => void seen.push(`store seqno ${seqno}`),
    onEvent: (event: NodeEvent) => void seen.push(`event ${event.kind}`),
    onNotice: (notice: Notice) => void seen.push(`notice ${notice.kind}`),
    onTrouble: (what: string) => void seen.push(what),
  };
  const wiring = new Wiring(node, world, () => now);
  const pass = async (ms: number) => {
    now = millis(now + ms);
    mock.timers.tick(ms);
    for (let i = 0; i < 10; i++) await Promise.resolve();
  };
  return { wiring, world, seen, pass };
}

const SEND: NodeOutput = { kind: 'send', datagram: BYTES, to: parseEndpoint('192.0.2.1:7077') as Endpoint };
const LEAVE: NodeInput = { kind: 'leave' };

describe('the wiring of a mesh node', () => {
  it('carries outputs out in their order: a sequence number is on disk before others hear of it', () => {
    const { wiring, seen } = wire({
      leave: [
        { kind: 'store-sequence', sequence: 5 },
        SEND,
        { kind: 'beacon', datagram: BYTES, link: 3 },
        { kind: 'tunnel-send', datagram: BYTES, to: parseAddress('fd77::1') as IpAddress },
        { kind: 'configure', change: {} },
      ],
    });
    wiring.handle(LEAVE);
    wiring.close();
    assert.deepEqual(seen, [
      'store 5',
      'send to 192.0.2.1:7077',
      'send to [ff12::f76d:7077%3]:7077',
      'send in tunnel to fd77::1',
      'configure',
    ]);
  });

  it('hands the device changes and messages for the tunnel in their order, and waits for neither', () => {
    const tunnelSend: NodeOutput = { kind: 'tunnel-send', datagram: BYTES, to: parseAddress('fd77::1') as IpAddress };
    const { wiring, world, seen } = wire({ leave: [{ kind: 'configure', change: {} }, tunnelSend] });
    world.device.configure = () => {
      seen.push('configure');
      return new Promise(() => undefined);
    };
    wiring.handle(LEAVE);
    wiring.close();
    assert.deepEqual(seen, ['configure', 'send in tunnel to fd77::1']);
  });

  it('goes on when the sequence number cannot be stored, and says so', () => {
    const { wiring, world, seen } = wire({ leave: [{ kind: 'store-sequence', sequence: 5 }, SEND] });
    world.storeSequence = () => {
      throw new Error('ENOSPC');
    };
    wiring.handle(LEAVE);
    wiring.close();
    assert.deepEqual(seen, ['the sequence number cannot be stored', 'send to 192.0.2.1:7077']);
  });

  it('wakes the node when it asked to be, and carries out what that gives', async () => {
    const { wiring, seen, pass } = wire({ timeout: [SEND] }, 1_500);
    wiring.handle(LEAVE);
    await pass(499);
    assert.deepEqual(seen, []);
    await pass(1);
    assert.deepEqual(seen, ['timeout at 1500', 'send to 192.0.2.1:7077']);
    wiring.close();
  });

  it('shows the node its peers at intervals, until it is closed', async () => {
    const { wiring, seen, pass } = wire({ 'peer-states': [SEND] });
    await wiring.pollDevice();
    await pass(15_000);
    assert.equal(seen.length, 2);
    wiring.close();
    await pass(60_000);
    wiring.handle(LEAVE);
    assert.equal(seen.length, 2);
  });

  it('tells the node of traffic and of refused sends, and shows it its peers when there is traffic', async () => {
    const { wiring, seen, pass } = wire({ 'peer-active': [SEND], 'path-error': [SEND], 'peer-states': [SEND] });
    wiring.handleDeviceEvent({ kind: 'path-error', publicKey: BYTES, errno: 'EHOSTUNREACH' });
    assert.equal(seen.length, 1);
    wiring.handleDeviceEvent({ kind: 'peer-active', publicKey: BYTES });
    await pass(0);
    assert.equal(seen.length, 3);
    wiring.close();
  });

  it('shows the node no state of the device from before a change that the node has asked for', async () => {
    const { wiring, world, pass } = wire({ leave: [{ kind: 'relay-routes', changes: [] }] });
    const { publicState } = world.device;
    let asked = 0;
    world.device.publicState = () => {
      asked += 1;
      if (asked === 1) wiring.handle(LEAVE);
      return publicState();
    };
    await wiring.pollDevice();
    await pass(0);
    assert.equal(asked, 2);
    wiring.close();
  });

  it('asks the device of those peers alone of which it has spoken, and of many with one question', async () => {
    const { wiring, world, seen, pass } = wire({ 'peer-states': [SEND] });
    const { publicState } = world.device;
    const questions: number[][] = [];
    world.device.publicState = (peers?: readonly Uint8Array[]) => {
      questions.push((peers ?? []).map(([first]) => first));
      return publicState();
    };
    for (let i = 0; i < 200; i++) wiring.handleDeviceEvent({ kind: 'handshake-complete', publicKey: Uint8Array.of(i) });
    wiring.handleDeviceEvent({ kind: 'peer-active', publicKey: Uint8Array.of(7) });
    await pass(0);
    const others = Array.from({ length: 199 }, (_, i) => i + 1);
    assert.deepEqual(questions, [[0], others]);
    assert.equal(seen.length, 2);
    wiring.close();
  });

  it('outlives a device that refuses', async () => {
    const { wiring, world, seen, pass } = wire({ leave: [{ kind: 'configure', change: {} }] });
    world.device.configure = () => Promise.reject(new Error('no'));
    world.device.publicState = () => Promise.reject(new Error('no'));
    wiring.handle(LEAVE);
    await wiring.pollDevice();
    await pass(0);
    assert.deepEqual(seen, ['the device refused a change of its peers', 'the device cannot be asked for its state']);
    wiring.close();
  });
});
