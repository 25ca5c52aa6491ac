import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { millis } from '../machine/index.ts';
import { exploreInterleavings } from './interleavings-for-testing.ts';
import { SharedSession } from './shared-session.ts';

const now = millis(5_000_000_000.25);

describe('a session that threads share', () => {
  it('is one and the same in all of them', () => {
    const here = new SharedSession();
    const there = new SharedSession(here.memory);
    assert.equal(here.sendCounter.claim(3), 0);
    assert.equal(there.sendCounter.claim(1), 3);
    assert.equal(there.replayWindow.accept({ high: 0, low: 0 }), true);
    assert.equal(here.replayWindow.accept({ high: 0, low: 0 }), false);
  });

  it('tells once what was noted', () => {
    const here = new SharedSession();
    const there = new SharedSession(here.memory);
    assert.equal(here.tally(), undefined);
    there.noteSent(2, 3000, now);
    there.noteReceived(0, 32, millis(now + 1));
    assert.deepEqual(here.tally(), {
      sent: { packets: 2, bytes: 3000 },
      received: { packets: 0, bytes: 32 },
      wasReceivedLast: true,
    });
    assert.equal(here.tally(), undefined);
    there.noteSent(1, 100, millis(now + 2));
    assert.deepEqual(here.tally(), {
      sent: { packets: 1, bytes: 100 },
      received: { packets: 0, bytes: 0 },
      wasReceivedLast: false,
    });
  });

  it('counts on where the sums wrap', () => {
    const session = new SharedSession();
    for (let i = 0; i < 5; i++) {
      session.noteSent(2 ** 30, 2 ** 30, now);
      assert.deepEqual(session.tally()?.sent, { packets: 2 ** 30, bytes: 2 ** 30 });
    }
  });

  it('knows what came last where the time wraps', () => {
    const session = new SharedSession();
    const wrap = 2 ** 32 / 1000;
    session.noteSent(1, 1, millis(wrap - 0.5));
    session.noteReceived(1, 1, millis(wrap + 0.5));
    assert.equal(session.tally()?.wasReceivedLast, true);
    session.noteReceived(1, 1, millis(2 * wrap - 0.5));
    session.noteSent(1, 1, millis(2 * wrap + 0.5));
    assert.equal(session.tally()?.wasReceivedLast, false);
  });

  it('neither seals nor accepts once it is closed', () => {
    const session = new SharedSession();
    new SharedSession(session.memory).close();
    assert.equal(session.sendCounter.claim(1), -1);
    assert.equal(session.replayWindow.accept({ high: 0, low: 0 }), false);
  });
});

describe('in every order of the steps of threads that note and one that tallies, a shared session', () => {
  it('loses nothing and counts nothing twice', () => {
    const session = new SharedSession();
    const other = new SharedSession(session.memory);
    const note = (packets: number) => () => void session.noteSent(packets, packets * 100, now);
    // What a tally remembers is not in the lanes, so each order tallies with eyes of its own, at its end.
    const orders = exploreInterleavings([[note(1), note(4)], [note(2)]], () => {
      assert.deepEqual(new SharedSession(other.memory).tally()?.sent, { packets: 7, bytes: 700 });
    });
    assert.ok(orders > 1);
  });

  it('tells of bytes only together with their packets', () => {
    const session = new SharedSession();
    const tally = () => new SharedSession(session.memory).tally();
    exploreInterleavings<unknown>([[() => session.noteSent(3, 300, now)], [tally]], (calls) => {
      const [seen] = calls.filter(({ thread }) => thread === 1) as { result: ReturnType<typeof tally> }[];
      if (seen.result !== undefined) assert.deepEqual(seen.result.sent, { packets: 3, bytes: 300 });
    });
  });
});
