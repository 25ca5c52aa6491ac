import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkPrivilege } from './privilege.ts';

describe('the privilege to make interfaces', () => {
  const rows: [who: string, effective: string, isEnough: boolean][] = [
    ['root', '000001ffffffffff', true],
    ['a user with CAP_NET_ADMIN alone', '0000000000001000', true],
    ['a user', '0000000000000000', false],
    ['root of a container without CAP_NET_ADMIN', '00000000a80425fb', false],
  ];
  for (const [who, effective, isEnough] of rows) {
    it(`${isEnough ? 'belongs to' : 'does not belong to'} ${who}`, () => {
      const check = () => checkPrivilege(`Name:\tnode\nCapEff:\t${effective}\n`);
      if (isEnough) check();
      else assert.throws(check, /run "wiremesh up" as root$/);
    });
  }
});
