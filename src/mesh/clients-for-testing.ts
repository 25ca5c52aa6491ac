/** A hub in the open, and clients a, b, … each behind a NAT of its own, in virtual time. */
import type { IdentityPrimitives } from '../crypto/primitives.ts';
import { addressFromBytes, endpointOf, type IpAddress } from '../inet/index.ts';
import { millis, type Millis } from '../machine/index.ts';
import { NetworkForTesting, PORT, type HostOptions } from './network-for-testing.ts';
import type { Path } from './node-interface.ts';

const HUB = ipv4(198, 51, 100, 100);

/** The address of client number `i`'s NAT, or of a host that has none. */
export function outsideOf(i: number): IpAddress {
  return ipv4(198, 51, 100, i + 1);
}

export class ClientsForTesting extends NetworkForTesting {
  constructor(primitives: IdentityPrimitives, clients: readonly Pick<HostOptions, 'nat' | 'accessDelay'>[]) {
    super(primitives);
    this.startOutside('hub', HUB);
    for (const [i, client] of clients.entries()) {
      const addresses = [ipv4(192, 168, i + 1, 2)];
      this.start('ab'[i], { links: [], addresses, bootstrap: [endpointOf(HUB, PORT)], ...client });
    }
  }

  startOutside(name: string, at: IpAddress): void {
    this.start(name, { links: [], addresses: [at], bootstrap: name === 'hub' ? [] : [endpointOf(HUB, PORT)] });
  }

  path(from: string, to: string): Path['kind'] | undefined {
    const { nodes } = this.node(from).status();
    return nodes.find(({ hostName }) => hostName === to)?.path.kind;
  }

  /** a and b send to each other, and nobody else to anybody. @returns how many packets have not arrived */
  talk(length: Millis, interval = millis(20)): number {
    const before = this.delivered.length;
    const count = length / interval;
    for (let i = 0; i < count; i++) {
      this.sendData('a', 'b');
      this.sendData('b', 'a');
      this.runFor(interval);
    }
    this.runFor(millis(100));
    return 2 * count - (this.delivered.length - before);
  }
}

function ipv4(...bytes: number[]): IpAddress {
  return addressFromBytes(Uint8Array.from(bytes));
}
