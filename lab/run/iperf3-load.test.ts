import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readInterval } from './iperf3-load.ts';

describe('a line of iperf3', () => {
  const lines: [line: string, bytes: number | undefined][] = [
    ['[  5]   0.00-0.10   sec   256 KBytes  20971 Kbits/sec                  ', 262_144],
    ['[  5]  10.10-10.20  sec  1.50 MBytes   126 Mbits/sec', 1_572_864],
    ['[  5]   3.00-3.10   sec  0.00 Bytes  0.00 bits/sec', 0],
    ['[ ID] Interval           Transfer     Bitrate', undefined],
    ['[  5] local 127.0.0.1 port 47138 connected to 127.0.0.1 port 5201', undefined],
  ];
  for (const [line, bytes] of lines) {
    it(`tells ${bytes === undefined ? 'no bytes' : `${bytes} bytes`}: ${line.trim()}`, () => {
      assert.equal(readInterval(line), bytes);
    });
  }
});
