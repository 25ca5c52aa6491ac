import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { millis, seconds } from '../machine/index.ts';
import { answerRequest, DescriptionExchange, type Request } from './description-exchange.ts';
import type { Description } from './description.ts';

const ID = 'ab'.repeat(28);
const LIMITS = { window: 2, perSource: 3, total: 5 };

function described(length: number, sequence = 1, nodeId = ID): Description {
  const bytes = Uint8Array.from({ length }, (_, i) => i * 7 + sequence);
  return { nodeId, sequence, bytes } as Description;
}

function exchange(): DescriptionExchange<string> {
  let nonce = 0n;
  return new DescriptionExchange(
    LIMITS,
    (source) => source,
    () => ++nonce,
  );
}

function requests(subject: DescriptionExchange<string>): Request<string>[] {
  const all: Request<string>[] = [];
  for (let request = subject.poll(); request !== undefined; request = subject.poll()) all.push(request);
  return all;
}

/** Answers from `description` until nothing more is asked. */
function serve(subject: DescriptionExchange<string>, description: Description): Uint8Array | string | undefined {
  let result: Uint8Array | string | undefined;
  for (let [request] = requests(subject); request !== undefined; [request] = requests(subject)) {
    const part = answerRequest(request.message, description);
    assert.ok(part);
    result = subject.handlePart(part, request.to, millis(0));
  }
  return result;
}

describe('a fetch', () => {
  for (const length of [1, 1140, 1141, 4096]) {
    it(`puts ${length} bytes together, part by part`, () => {
      const subject = exchange();
      subject.fetch(ID, 'source', millis(0));
      assert.deepEqual(serve(subject, described(length)), described(length).bytes);
      assert.equal(subject.size, 0);
    });
  }

  it('starts again when the description changes on the way', () => {
    const subject = exchange();
    subject.fetch(ID, 'source', millis(0));
    const [first] = requests(subject);
    const part = answerRequest(first.message, described(3000, 1));
    assert.ok(part);
    subject.handlePart(part, 'source', millis(0));
    assert.deepEqual(serve(subject, described(3000, 2)), described(3000, 2).bytes);
  });

  it('asks a silent source four times, a second apart, and forgets it', () => {
    const subject = exchange();
    subject.fetch(ID, 'source', millis(0));
    const times: number[] = [];
    for (let now = subject.nextTimeout(); now !== undefined; now = subject.nextTimeout()) {
      if (requests(subject).length > 0) times.push(now - 1000);
      subject.handleTimeout(now);
    }
    assert.deepEqual(times, [0, 1000, 2000, 3000]);
    assert.equal(subject.size, 0);
  });

  it('ends when the source changes its mind without end', () => {
    const subject = exchange();
    subject.fetch(ID, 'source', millis(0));
    let asked = 0;
    for (let [request] = requests(subject); request !== undefined; [request] = requests(subject)) {
      asked += 1;
      const part = answerRequest(request.message, described(4096, asked));
      assert.ok(part);
      subject.handlePart(part, 'source', millis(0));
    }
    assert.equal(asked, 16);
    assert.equal(subject.size, 0);
  });

  it('takes no part that it has not asked for', () => {
    const subject = exchange();
    subject.fetch(ID, 'source', millis(0));
    const [{ message }] = requests(subject);
    const part = answerRequest(message, described(100));
    assert.ok(part);
    assert.equal(subject.handlePart(part, 'another', millis(0)), 'part-unasked');
    assert.equal(subject.handlePart({ ...part, nonce: 77n }, 'source', millis(0)), 'part-unasked');
    assert.equal(subject.handlePart({ ...part, nodeId: 'cd'.repeat(28) }, 'source', millis(0)), 'part-unasked');
    assert.deepEqual(subject.handlePart(part, 'source', millis(0)), described(100).bytes);
    assert.equal(subject.handlePart(part, 'source', millis(0)), 'part-unasked');
  });
});

describe('many fetches', () => {
  it('ask one source for a few at a time, then for the rest', () => {
    const subject = exchange();
    for (const nodeId of ['00', '11', '22']) subject.fetch(nodeId.repeat(28), 'source', millis(0));
    const asked = requests(subject);
    assert.equal(asked.length, 2);
    const part = answerRequest(asked[0].message, described(10, 1, asked[0].message.nodeId));
    assert.ok(part);
    subject.handlePart(part, 'source', millis(0));
    assert.deepEqual(
      requests(subject).map(({ message }) => message.nodeId),
      ['22'.repeat(28)],
    );
  });

  it('are bounded by source and in all, and the oldest make room', () => {
    const subject = exchange();
    for (const source of ['a', 'b', 'c']) {
      for (const nodeId of ['00', '11', '22', '33']) subject.fetch(nodeId.repeat(28), source, seconds(1));
    }
    assert.equal(subject.size, 5);
  });

  it('are not doubled', () => {
    const subject = exchange();
    subject.fetch(ID, 'source', millis(0));
    subject.fetch(ID, 'source', millis(0));
    assert.equal(requests(subject).length, 1);
  });
});
