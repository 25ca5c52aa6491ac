import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { MIN_NODE, nodeProblem } from './node-version.ts';

describe('the version of Node', () => {
  for (const version of ['20.19.0', '20.20.2', '22.0.0', '24.22.3', '26.12.1', '100.1.0']) {
    it(`may be ${version}`, () => assert.equal(nodeProblem(version), undefined));
  }

  for (const version of ['20.18.3', '18.20.8', '9.11.2']) {
    it(`may not be ${version}, which is said with what to do`, () => {
      assert.match(nodeProblem(version)!, /^this is Node [\d.]+, and Node 20\.19 or newer is needed: install it/);
    });
  }

  it('is what the package asks for', () => {
    const manifest = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
    assert.deepEqual((JSON.parse(manifest) as { engines: unknown }).engines, { node: `>=${MIN_NODE}` });
  });
});
