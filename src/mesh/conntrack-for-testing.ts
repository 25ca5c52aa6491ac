/**
 * A model of a Linux router that masquerades UDP, as its connection tracking makes it: every pair of inside and remote
 * endpoint is a connection of its own, which keeps the port if that is free. What comes in unasked is a connection as well,
 * with the router itself, whether or not anybody listens there: for as long as it is remembered, nothing that goes out to
 * that remote endpoint can have the port that it was for.
 */
import { endpointOf, endpointsEqual, type Endpoint, type IpAddress } from '../inet/index.ts';
import { after, seconds, type Millis } from '../machine/index.ts';
import type { Nat } from './nat-for-testing.ts';

/** nf_conntrack_udp_timeout, until something has come back. */
const UNREPLIED_TIMEOUT = seconds(30);
/** nf_conntrack_udp_timeout_stream. */
const STREAM_TIMEOUT = seconds(120);
const FIRST_RANDOM_PORT = 50_000;

/** `kept`: the inside's, or another one where that is taken; `one`: always the same; `random`: for each connection another. */
export type ConntrackPorts = 'kept' | 'one' | 'random';

const ONE_PORT = 40_000;

interface Connection {
  /** `undefined`: with the router itself. */
  readonly inside: Endpoint | undefined;
  readonly remote: Endpoint;
  readonly port: number;
  isReplied: boolean;
  at: Millis;
}

export class ConntrackForTesting implements Nat {
  readonly address: IpAddress;
  readonly #ports: ConntrackPorts;
  #connections: Connection[] = [];
  #randomPort = FIRST_RANDOM_PORT;

  constructor(outside: IpAddress, ports: ConntrackPorts) {
    this.address = outside;
    this.#ports = ports;
  }

  translateOut(inside: Endpoint, to: Endpoint, now: Millis): Endpoint | undefined {
    this.#expire(now);
    let connection = this.#connections.find(
      (one) => one.inside !== undefined && endpointsEqual(one.inside, inside) && endpointsEqual(one.remote, to),
    );
    if (connection === undefined) {
      const port = this.#portFor(inside, to);
      if (port === undefined) return undefined;
      connection = { inside, remote: to, port, isReplied: false, at: now };
      this.#connections.push(connection);
    }
    connection.at = now;
    return endpointOf(this.address, connection.port);
  }

  translateIn(outside: Endpoint, from: Endpoint, now: Millis): Endpoint | undefined {
    this.#expire(now);
    const connection = this.#connectionOf(outside.port, from);
    if (connection === undefined) {
      this.#connections.push({ inside: undefined, remote: from, port: outside.port, isReplied: false, at: now });
      return undefined;
    }
    connection.at = now;
    connection.isReplied ||= connection.inside !== undefined;
    return connection.inside;
  }

  #portFor(inside: Endpoint, to: Endpoint): number | undefined {
    if (this.#ports === 'random') return this.#randomPort++;
    const wanted = this.#ports === 'kept' ? inside.port : ONE_PORT;
    if (this.#connectionOf(wanted, to) === undefined) return wanted;
    // Where there is no port left to choose, the packet is dropped.
    return this.#ports === 'kept' ? this.#randomPort++ : undefined;
  }

  #connectionOf(port: number, remote: Endpoint): Connection | undefined {
    return this.#connections.find((one) => one.port === port && endpointsEqual(one.remote, remote));
  }

  #expire(now: Millis): void {
    this.#connections = this.#connections.filter(
      ({ at, isReplied }) => after(at, isReplied ? STREAM_TIMEOUT : UNREPLIED_TIMEOUT) > now,
    );
  }
}
