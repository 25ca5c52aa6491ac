import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { endpointOf, parseAddress, type IpAddress } from '../inet/index.ts';
import { describeBootstrap } from './bootstrap-words.ts';

describe('a bootstrap endpoint', () => {
  const endpoint = endpointOf(parseAddress('192.0.2.1') as IpAddress, 7077);

  it('that does not answer is named, with what to look at', () => {
    const { level, words } = describeBootstrap(endpoint, 'silent', 'home');
    assert.equal(level, 'warn');
    assert.match(words, /^bootstrap 192\.0\.2\.1:7077 does not answer: .*mesh "home".* UDP port 7077/);
  });

  it('that is the node itself is to be replaced', () => {
    assert.match(describeBootstrap(endpoint, 'self', 'home').words, /is this node itself: name another one$/);
  });
});
