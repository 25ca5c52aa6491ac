import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { endpointOf, parseAddress, type Endpoint } from '../inet/index.ts';
import type { Notice } from '../mesh/index.ts';
import { describeNotice } from './notice-words.ts';

const context = { meshName: 'home', nodeId: 'aa'.repeat(28), port: 7077, links: [{ index: 2, name: 'eth0' }] };

function at(address: string, scopeId = 0): Endpoint {
  return endpointOf(parseAddress(address)!, 7077, scopeId);
}

describe('the words for a silent network', () => {
  const rows: [notice: Notice, says: RegExp][] = [
    [{ kind: 'deaf', link: 2 }, /own beacons on eth0: a firewall of this host drops UDP port 7077, let it in$/],
    [{ kind: 'deaf', link: 9 }, /on interface 9:/],
    [
      { kind: 'unanswered', from: at('fe80::1', 2) },
      /^a node at \[fe80::1\]:7077 on eth0 is heard and does not answer: /,
    ],
    [
      { kind: 'foreign-mesh', senders: 1, from: at('fe80::1', 2) },
      /^nodes of another mesh are heard, at \[fe80::1\]:7077 on eth0: if they should be nodes of "home", compare the names/,
    ],
    [{ kind: 'foreign-mesh', senders: 2, from: at('192.0.2.1') }, /at 192\.0\.2\.1:7077 and at 1 more address: /],
    [{ kind: 'foreign-version', senders: 4, from: at('192.0.2.1') }, /version.* at 192.* and at 3 more addresses: /],
    [
      { kind: 'refused', nodeId: 'bb'.repeat(28), hostName: 'b', address: at('fd77::b').address },
      /^b \(bbbbbbbb\) answers, but builds no tunnel: it does not trust this node \(there, add "--pin (aa){28}"\)/,
    ],
    [{ kind: 'alone' }, /^no other node is heard yet on eth0: .* its mesh is "home".* --bootstrap$/],
  ];
  for (const [notice, says] of rows) {
    it(`say what to do: ${JSON.stringify(notice.kind)}`, () => {
      assert.match(describeNotice(notice, context).words, says);
    });
  }
});
