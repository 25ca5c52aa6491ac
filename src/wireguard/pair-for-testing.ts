import type { KeyPair, Primitives } from '../crypto/primitives.ts';
import { parseEndpoint, parsePrefix, type Endpoint } from '../inet/index.ts';
import { millis, type Millis } from '../machine/index.ts';
import type { AllowedIpChange, PeerChange } from './configuration.ts';
import type { Timing } from './constants.ts';
import { Device } from './device.ts';
import type { DeviceOutput, Peer } from './peer.ts';

/** A datagram on the link between the two devices of a `Pair`. */
export interface Datagram {
  readonly sentAt: Millis;
  readonly from: Side;
  readonly source: Endpoint;
  readonly bytes: Uint8Array;
}

/** One end: its device, where it is, and what came out of it. */
export interface Side {
  readonly name: 'left' | 'right';
  readonly keys: KeyPair;
  readonly device: Device;
  endpoint: Endpoint;
  readonly delivered: Uint8Array[];
  readonly events: string[];
}

/**
 * For tests: two devices, a link with latency, and a clock that jumps to the next thing that happens. Every protocol
 * rule is a story of these two in virtual time.
 */
export class Pair {
  now = millis(0);
  /** Unix time at `now` 0. */
  epoch = 1_700_000_000_000;
  latency = 10;
  /** Every datagram that was sent, lost ones included. */
  readonly sent: Datagram[] = [];
  /** Whether the link loses a datagram. */
  loses: (datagram: Datagram) => boolean = () => false;
  readonly left: Side;
  readonly right: Side;
  readonly #underWay: Datagram[] = [];

  constructor(primitives: Primitives, timing: Partial<Timing> = {}) {
    const unixTime = () => millis(this.epoch + this.now);
    this.left = side('left', '192.0.2.1:1000', new Device({ primitives, unixTime, timing }), primitives);
    this.right = side('right', '192.0.2.2:2000', new Device({ primitives, unixTime, timing }), primitives);
  }

  /** Makes each the peer of the other: left is 10.0.0.1 and fd00::1, right is 10.0.0.2 and fd00::2. */
  configure({ left = {}, right = {} }: { left?: Partial<PeerChange>; right?: Partial<PeerChange> } = {}): void {
    const toRight = { endpoint: this.right.endpoint, allowedIps: allowed('10.0.0.2', 'fd00::2'), ...left };
    const toLeft = { endpoint: this.left.endpoint, allowedIps: allowed('10.0.0.1', 'fd00::1'), ...right };
    this.#configureSide(this.left, { publicKey: this.right.keys.publicKey, ...toRight });
    this.#configureSide(this.right, { publicKey: this.left.keys.publicKey, ...toLeft });
    this.drain();
  }

  /** What `from` knows of the other. */
  peerOf(from: Side): Peer {
    return from.device.findPeer(this.#other(from).keys.publicKey)!;
  }

  /** Sends an IPv4 packet with `text` in it through the tunnel. */
  send(from: Side, text: string): void {
    from.device.handlePacket(packetOf(from === this.left ? 1 : 2, from === this.left ? 2 : 1, text), this.now);
    this.drain();
  }

  /** Hands `bytes` to a device as if they came from `source`. */
  receive(to: Side, bytes: Uint8Array, source: Endpoint): void {
    to.device.handleDatagram(bytes, source, this.now);
    this.drain();
  }

  /** Lets everything happen that happens within `length`. */
  run(length: number): void {
    const end = this.now + length;
    for (let at = this.#nextEvent(); at <= end; at = this.#nextEvent()) {
      this.now = millis(Math.max(this.now, at));
      while (this.#underWay.length > 0 && this.#underWay[0].sentAt + this.latency <= this.now) this.#arrive();
      for (const { device } of [this.left, this.right]) device.handleTimeout(this.now);
      this.drain();
    }
    this.now = millis(end);
  }

  /** What was sent since `at`, as `left: 1` for a message of type 1. */
  typesSince(at: number): string[] {
    return this.sent.filter(({ sentAt }) => sentAt >= at).map(({ from, bytes }) => `${from.name}: ${bytes[0]}`);
  }

  drain(): void {
    for (const from of [this.left, this.right]) {
      for (let output = from.device.poll(); output !== undefined; output = from.device.poll()) this.#take(from, output);
    }
  }

  #take(from: Side, output: DeviceOutput): void {
    if (output.kind === 'deliver') {
      from.delivered.push(output.packet);
    } else if (output.kind === 'send') {
      const datagram = { sentAt: this.now, from, source: from.endpoint, bytes: output.datagram };
      this.sent.push(datagram);
      if (!this.loses(datagram)) this.#underWay.push(datagram);
    } else {
      from.events.push(output.kind);
    }
  }

  #arrive(): void {
    const { from, source, bytes } = this.#underWay.shift()!;
    this.#other(from).device.handleDatagram(bytes, source, this.now);
    this.drain();
  }

  #nextEvent(): number {
    const [datagram] = this.#underWay;
    const arrival = datagram === undefined ? Infinity : datagram.sentAt + this.latency;
    const timeouts = [this.left, this.right].map(({ device }) => device.nextTimeout() ?? Infinity);
    return Math.min(arrival, ...timeouts);
  }

  #configureSide(side: Side, peer: PeerChange): void {
    side.device.configure({ privateKey: side.keys.privateKey, peers: [peer] }, this.now);
  }

  #other(side: Side): Side {
    return side === this.left ? this.right : this.left;
  }
}

/** An IPv4 packet from 10.0.0.`source` to 10.0.0.`destination`. */
export function packetOf(source: number, destination: number, text: string): Uint8Array {
  const packet = new Uint8Array(20 + text.length);
  packet.set([0x45, 0, 0, packet.length], 0);
  packet.set([10, 0, 0, source, 10, 0, 0, destination], 12);
  for (let i = 0; i < text.length; i++) packet[20 + i] = text.charCodeAt(i);
  return packet;
}

export function textOf(packet: Uint8Array): string {
  return String.fromCharCode(...packet.subarray(20));
}

function side(name: 'left' | 'right', endpoint: string, device: Device, primitives: Primitives): Side {
  const privateKey = primitives.randomBytes(32);
  const keys = { privateKey, publicKey: primitives.publicKey(privateKey) };
  return { name, keys, device, endpoint: parseEndpoint(endpoint)!, delivered: [], events: [] };
}

function allowed(...addresses: string[]): AllowedIpChange[] {
  return addresses.map((address) => ({ prefix: parsePrefix(address)! }));
}
