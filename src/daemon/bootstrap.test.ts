import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { formatEndpoint } from '../inet/index.ts';
import { BootstrapResolver } from './bootstrap.ts';

/** A resolver over `names`, whose time passes by `pass`. Records what it reports. */
function resolverOver(names: Map<string, string[]>, hosts: string[]) {
  mock.timers.reset();
  mock.timers.enable({ apis: ['setTimeout'] });
  const seen: string[] = [];
  const resolver = new BootstrapResolver(
    hosts,
    {
      endpoints: (endpoints) => seen.push(endpoints.map(formatEndpoint).join(' ')),
      unknownHost: (hostPort) => seen.push(`unknown ${hostPort}`),
    },
    (host) => {
      const addresses = names.get(host);
      return addresses === undefined ? Promise.reject(new Error('ENOTFOUND')) : Promise.resolve(addresses);
    },
  );
  const pass = async (ms: number) => {
    mock.timers.tick(ms);
    for (let i = 0; i < 10; i++) await Promise.resolve();
  };
  return { resolver, seen, pass };
}

describe('bootstrap names', () => {
  it('are resolved to all their addresses, and again after a minute', async () => {
    const names = new Map([
      ['gate.example', ['192.0.2.1', '2001:db8::1']],
      ['2001:db8::2', ['2001:db8::2']],
    ]);
    const { resolver, seen, pass } = resolverOver(names, ['gate.example:7077', '[2001:db8::2]:1']);
    await resolver.run();
    names.set('gate.example', ['192.0.2.9']);
    await pass(59_000);
    await pass(1_000);
    await pass(60_000);
    resolver.close();
    assert.deepEqual(seen, ['192.0.2.1:7077 [2001:db8::1]:7077 [2001:db8::2]:1', '192.0.2.9:7077 [2001:db8::2]:1']);
  });

  it('that are unknown are reported once and tried every few seconds, and the others are used meanwhile', async () => {
    const names = new Map([['b.example', ['192.0.2.2']]]);
    const { resolver, seen, pass } = resolverOver(names, ['a.example:7077', 'b.example:7077']);
    await resolver.run();
    await pass(5_000);
    names.set('a.example', ['192.0.2.1']);
    await pass(5_000);
    resolver.close();
    assert.deepEqual(seen, ['unknown a.example:7077', '192.0.2.2:7077', '192.0.2.2:7077 192.0.2.1:7077']);
  });

  it('that stop to resolve keep the addresses they had', async () => {
    const names = new Map([['a.example', ['192.0.2.1']]]);
    const { resolver, seen, pass } = resolverOver(names, ['a.example:7077']);
    await resolver.run();
    names.clear();
    await pass(60_000);
    resolver.close();
    assert.deepEqual(seen, ['192.0.2.1:7077', 'unknown a.example:7077']);
  });
});
