/**
 * Runs the tests below the folders that are named, on what was compiled: `node dist/test/run.js src test/interop`.
 * One file at a time: suites in namespaces would otherwise disturb each other's clocks on a small machine.
 * (`node --test` finds files in folders on Node 20 and by globs on later ones only.)
 */
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const files = process.argv.slice(2).flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.js'))
    .sort()
    .map((name) => join(root, folder, name)),
);
if (files.length === 0) throw new Error(`no tests below ${process.argv.slice(2).join(', ')}`);

run({ files, concurrency: 1 })
  .on('test:fail', () => (process.exitCode = 1))
  .compose(new spec())
  .pipe(process.stdout);
