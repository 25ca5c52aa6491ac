import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { networkWarnings } from './network-warnings.ts';
import { networksOf } from './networks.ts';

const network = (...prefixes: string[]) => prefixes.map((prefix) => ({ prefix, preference: 100 }));

describe('the warnings about networks', () => {
  it('name the networks that nobody gets through to, and how to change that', () => {
    const networks = networksOf({ network: network('0.0.0.0/0', '::/0', '10.0.0.0/8'), address: ['10.77.0.1/32'] });
    const words = (off: readonly number[]) => networkWarnings(networks, (family) => !off.includes(family));
    assert.deepEqual(words([4]), [
      'nobody gets through to 0.0.0.0/0, 10.0.0.0/8: forwarding is off on this host; "sysctl net.ipv4.ip_forward=1" turns it on',
    ]);
    assert.match(words([4, 6])[0], /"sysctl net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1"/);
    assert.deepEqual(words([]), []);
  });

  it('do not ask for forwarding to oneself', () => {
    assert.deepEqual(networkWarnings(networksOf({ address: ['10.77.0.1/32'] }), () => false), []); // prettier-ignore
  });

  it('tell of clients that nobody would know the way back to', () => {
    const [importsIpv4, importsIpv6] = ['0.0.0.0/0', '::/0'].map((prefix) => [{ prefix, from: 'any' as const }]);
    assert.match(networkWarnings(networksOf({ import: importsIpv4 }))[0], /address = \["A\.B\.C\.D\/32"\]/);
    assert.deepEqual(networkWarnings(networksOf({ import: importsIpv6 })), []);
    assert.deepEqual(networkWarnings(networksOf({ import: importsIpv4, address: ['10.77.0.5/32'] })), []);
  });
});
