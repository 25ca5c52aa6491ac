import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { parseEndpoint, type Endpoint } from '../../inet/index.ts';
import { millis } from '../../machine/index.ts';
import { pathCounters, type PathCounters } from '../path-counters.ts';
import { ControlRelay } from './control-relay.ts';

const FORM = [0x77, undefined, 5];
const KIN = [0x78];
const MESSAGE = Uint8Array.of(0x77, 1, 5, 9);
const FLOOD = 20_000;

const endpoint = (text: string): Endpoint => parseEndpoint(text) as Endpoint;
const onLink = (last: number): Endpoint => ({ ...endpoint(`[fe80::${last.toString(16)}]:7077`), scopeId: 2 });
const stranger = (i: number): Endpoint => endpoint(`203.${i >> 16}.${(i >> 8) & 0xff}.${i & 0xff}:7077`);

describe('a relay of control messages', () => {
  let relay: ControlRelay;
  let enough = 0;
  let counters: PathCounters;
  let now = millis(0);
  let passed: { message: Uint8Array; from: Endpoint }[];
  beforeEach(() => {
    counters = pathCounters();
    passed = [];
    relay = new ControlRelay(
      counters,
      () => now,
      (message, from) => passed.push({ message, from }),
    );
    enough = 0;
    relay.expect(FORM, KIN, () => (enough += 1));
  });

  const flood = (source: (i: number) => Endpoint, message = MESSAGE): void => {
    for (let i = 0; i < FLOOD; i++) relay.take(message, source(i));
  };
  const isHeard = (from: Endpoint): boolean => {
    const before = passed.length;
    relay.take(MESSAGE, from);
    return passed.length > before;
  };

  it('passes on what has the form, in a copy', () => {
    const message = MESSAGE.slice();
    relay.take(message, stranger(1));
    message[3] = 0;
    assert.deepEqual(passed, [{ message: MESSAGE, from: stranger(1) }]);
  });

  it('passes on the first few of the kind that have another form, and says when they are enough, once', () => {
    flood(stranger, Uint8Array.of(KIN[0], ...MESSAGE.subarray(1).map((byte) => byte ^ 1)));
    assert.ok(passed.length > 0 && passed.length <= 32, `${passed.length}`);
    assert.equal(enough, 1);
    assert.ok(isHeard(stranger(1)));
  });

  it('passes on nothing before anybody says what a control message is', () => {
    const silent = new ControlRelay(
      counters,
      () => now,
      () => assert.fail(),
    );
    silent.take(MESSAGE, stranger(1));
    assert.equal(counters.controlMalformed, 1);
  });

  it('hears everybody after 20,000 messages of no form in the same second', () => {
    flood(stranger, Uint8Array.of(0x77, 1, 6, 9));
    assert.equal(counters.controlMalformed, FLOOD);
    assert.ok(isHeard(stranger(FLOOD)));
  });

  it('hears others after 20,000 messages of one source, or of one network', () => {
    flood(() => stranger(1));
    assert.ok(isHeard(stranger(2)));
    flood((i) => endpoint(`[2001:db8::${i.toString(16)}]:7077`));
    assert.ok(isHeard(endpoint('[2001:db8:0:1::1]:7077')));
  });

  it('hears a link after 20,000 messages of as many sources that are not on it', () => {
    flood(stranger);
    assert.ok(isHeard(onLink(1)));
  });

  it('hears one link after 20,000 messages of one source on another', () => {
    flood(() => onLink(1));
    assert.ok(isHeard({ ...onLink(1), scopeId: 3 }));
  });

  it('hears those who are known after 20,000 messages of as many strangers, on the link and elsewhere', () => {
    relay.setKnown([stranger(FLOOD).address, onLink(FLOOD).address]);
    flood(stranger);
    flood(onLink);
    assert.ok(isHeard(stranger(FLOOD)));
    assert.ok(isHeard(onLink(FLOOD)));
  });

  it('passes on 800 a second at most, whoever sends, and begins anew in the next', () => {
    relay.setKnown(Array.from({ length: FLOOD }, (_, i) => stranger(i).address));
    flood(stranger);
    flood(onLink);
    assert.ok(passed.length <= 800, String(passed.length));
    assert.equal(counters.controlRateExceeded, 2 * FLOOD - passed.length);
    now = millis(1000);
    assert.ok(isHeard(stranger(1)));
  });
});
