import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Flaw } from './flaws.ts';
import { describeFailure, describeRepair, type Repair } from './words.ts';

const OFF: Flaw = { kind: 'link', key: 'up', words: 'switched wm0 off', lines: [] };
const rule = (priority: number): Flaw => ({ kind: 'rule', key: `${priority}`, words: `rule ${priority}`, lines: [] });
const QUIET = { who: undefined, passing: undefined, pauseMs: 0, withoutMainRule: [], hasNetworkd: false } as const;
const words = (repair: Partial<Repair> & Pick<Repair, 'flaws'>) => describeRepair({ ...QUIET, ...repair });

describe('the words about what was put back', () => {
  it('name what was removed, and no more of it than can be read', () => {
    assert.equal(words({ flaws: [rule(1)] }), 'somebody removed rule 1: put back');
    const many = [1, 2, 3, 4, 5, 6].map(rule);
    assert.equal(words({ flaws: many }), 'somebody removed rule 1, rule 2, rule 3, rule 4 and 2 more: put back');
  });

  it('name the cause and not what followed from it', () => {
    assert.equal(words({ flaws: [OFF] }), 'somebody switched wm0 off: put back, with its addresses and routes');
    const address: Flaw = { kind: 'address', key: 'a', words: 'the address fd77::5', lines: [] };
    assert.equal(
      words({ flaws: [address], passing: 'switched wm0 off and on' }),
      'somebody switched wm0 off and on: put back, with its addresses and routes',
    );
    assert.equal(
      words({ flaws: [OFF, rule(1)] }),
      'somebody switched wm0 off, and removed rule 1: put back, with its addresses and routes',
    );
  });

  it('say who did it, and how long it will be left alone', () => {
    assert.equal(
      words({ flaws: [rule(1)], who: 'NetworkManager (process 7)', pauseMs: 8000 }),
      'NetworkManager (process 7) removed rule 1: put back; this happens again and again: the next time it stays as it is for 8 s',
    );
  });

  it('say what keeps systemd-networkd from it, and what is not ours to put back', () => {
    assert.match(words({ flaws: [rule(1), rule(2)], hasNetworkd: true }), /"ManageForeignRoutingPolicyRules=no"/);
    assert.match(words({ flaws: [rule(1)], who: 'systemd-network (process 9)' }), /ManageForeignRoutes=no/);
    assert.match(words({ flaws: [rule(1)], withoutMainRule: [6] }), /"ip -6 rule add priority 32766 table main"$/);
  });

  it('say what to do where it cannot be put back', () => {
    const ipv6: Flaw = { kind: 'ipv6', key: 'ipv6', words: 'switched IPv6 off on wm0', lines: [] };
    assert.match(
      describeFailure(ipv6, undefined, 'wm0'),
      /"sysctl net\.ipv6\.conf\.wm0\.disable_ipv6=0" switches it on/,
    );
    assert.equal(
      describeFailure(rule(1), '"ip rule add" failed: no', 'wm0'),
      'rule 1 is missing, and it cannot be put back: "ip rule add" failed: no',
    );
  });
});
