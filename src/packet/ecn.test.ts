import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { foldSum, sumWords } from './checksum.ts';
import { CE, decapsulateEcn, ECT_0, ECT_1, NOT_ECT, readEcn } from './ecn.ts';

function ipv4(ecn: number): Uint8Array {
  const packet = new Uint8Array(20);
  packet[0] = 0x45;
  packet[1] = 0xb8 | ecn;
  packet[8] = 64;
  const view = new DataView(packet.buffer);
  view.setUint16(10, ~foldSum(sumWords(view, 0, 20)) & 0xffff);
  return packet;
}

function ipv6(ecn: number): Uint8Array {
  const packet = new Uint8Array(40);
  packet.set([0x6b, 0x80 | (ecn << 4) | 0x05]);
  return packet;
}

/** RFC 6040, figure 4: rows are the inner header, columns the outer one. */
const DECAPSULATED: readonly (readonly [inner: number, outer: number, result: number | 'drop'])[] = [
  [NOT_ECT, NOT_ECT, NOT_ECT],
  [NOT_ECT, ECT_0, NOT_ECT],
  [NOT_ECT, ECT_1, NOT_ECT],
  [NOT_ECT, CE, 'drop'],
  [ECT_0, NOT_ECT, ECT_0],
  [ECT_0, ECT_0, ECT_0],
  [ECT_0, ECT_1, ECT_1],
  [ECT_0, CE, CE],
  [ECT_1, NOT_ECT, ECT_1],
  [ECT_1, ECT_0, ECT_1],
  [ECT_1, ECT_1, ECT_1],
  [ECT_1, CE, CE],
  [CE, NOT_ECT, CE],
  [CE, ECT_0, CE],
  [CE, ECT_1, CE],
  [CE, CE, CE],
];

describe('decapsulating congestion notification', () => {
  for (const [inner, outer, result] of DECAPSULATED) {
    it(`makes ${result} of inner ${inner} and outer ${outer}`, () => {
      for (const packet of [ipv4(inner), ipv6(inner)]) {
        const isKept = decapsulateEcn(packet, 0, outer);
        assert.equal(isKept ? readEcn(packet, 0) : 'drop', result);
      }
    });
  }

  it('keeps DSCP, flow label and the IPv4 header checksum right', () => {
    const four = ipv4(ECT_0);
    decapsulateEcn(four, 0, CE);
    assert.equal(four[1], 0xb8 | CE);
    assert.equal(foldSum(sumWords(new DataView(four.buffer), 0, 20)), 0xffff);
    const six = ipv6(ECT_0);
    decapsulateEcn(six, 0, CE);
    assert.deepEqual([...six.subarray(0, 2)], [0x6b, 0x80 | (CE << 4) | 0x05]);
  });

  it('leaves a wrong header checksum wrong, and reads nothing behind the packet whatever its header length says', () => {
    const broken = ipv4(ECT_0);
    broken[8]--;
    const claimsOptions = ipv4(ECT_0);
    claimsOptions[0] = 0x4f;
    for (const packet of [broken, claimsOptions]) {
      assert.equal(decapsulateEcn(packet, 0, CE), true);
      assert.notEqual(foldSum(sumWords(new DataView(packet.buffer), 0, 20)), 0xffff);
    }
  });
});
