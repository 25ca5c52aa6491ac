import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { endpointOf, parseAddress, type IpAddress } from '../inet/index.ts';
import { DatagramFilter, hasForm, type DatagramForm } from './datagram-filter.ts';
import { NativeBuffer } from './native-buffer.ts';
import { SocketAddress } from './socket-address.ts';
import { openSharedUdpSocket, openUdpSocket, type UdpSocket } from './udp.ts';

const FORMS: readonly DatagramForm[] = [[0x77, undefined, 5, 6], [1], [2]];
const CASES: [what: string, datagram: number[], passes: boolean][] = [
  ['of the first form', [0x77, 0xff, 5, 6, 9], true],
  ['of the first form and no more', [0x77, 0, 5, 6], true],
  ['of another form', [2], true],
  ['with another byte at a place that matters', [0x77, 0xff, 5, 7, 9], false],
  ['that ends within a form', [0x77, 0xff, 5], false],
  ['of no form', [3, 0xff, 5, 6], false],
];
const END = Uint8Array.of(1, 0xee);

describe('a filter of datagrams', () => {
  const buffer = new NativeBuffer(65_536);
  const to = new SocketAddress();
  let sender: UdpSocket;
  let filter: DatagramFilter;
  before(() => {
    sender = openUdpSocket(6, 0);
    filter = new DatagramFilter(FORMS);
  });
  after(() => {
    sender.close();
    filter.close();
  });

  const send = (receiver: UdpSocket, datagram: Uint8Array, segmentSize = datagram.length): void => {
    to.fromEndpoint(endpointOf(parseAddress('::1') as IpAddress, receiver.port));
    buffer.bytes.set(datagram);
    assert.equal(sender.send(buffer, 0, datagram.length, segmentSize, to), 0);
  };
  /** What arrives before `END`, which is sent now: on the loopback nothing is overtaken. */
  const received = (receiver: UdpSocket): number[][] => {
    send(receiver, END);
    const datagrams: number[][] = [];
    for (let length = receiver.receive(buffer); length > 0; length = receiver.receive(buffer)) {
      datagrams.push([...buffer.bytes.subarray(0, length)]);
    }
    assert.deepEqual(datagrams.pop(), [...END]);
    return datagrams;
  };

  for (const [what, datagram, passes] of CASES) {
    it(`${passes ? 'passes' : 'drops'} one ${what}, as the check beside it says`, () => {
      const receiver = openUdpSocket(6, 0);
      filter.attach(receiver);
      send(receiver, Uint8Array.from(datagram));
      assert.deepEqual(received(receiver), passes ? [datagram] : []);
      assert.equal(receiver.dropped, passes ? 0 : 1);
      const has = FORMS.some((form) => hasForm(Uint8Array.from(datagram), form));
      assert.equal(has, passes);
      receiver.close();
    });
  }

  it('drops no train for what the first of it is', () => {
    const receiver = openUdpSocket(6, 0);
    filter.attach(receiver);
    send(receiver, Uint8Array.of(9, 9, 1, 1, 2, 2), 2);
    assert.deepEqual(received(receiver), [[9, 9, 1, 1, 2, 2]]);
    receiver.close();
  });

  it('looks at each datagram of a train where the socket takes none', () => {
    const receiver = openSharedUdpSocket(6, 0);
    filter.attach(receiver);
    send(receiver, Uint8Array.of(9, 9, 1, 1, 2, 2), 2);
    assert.deepEqual(received(receiver), [
      [1, 1],
      [2, 2],
    ]);
    receiver.close();
  });
});

describe('a socket whose port is shared', () => {
  it('can be bound by several', () => {
    const first = openSharedUdpSocket(6, 0);
    const second = openSharedUdpSocket(6, first.port);
    assert.equal(second.port, first.port);
    first.close();
    second.close();
  });
});
