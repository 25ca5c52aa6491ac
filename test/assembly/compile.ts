/**
 * Compiles src/packet/assembly with AssemblyScript; `npm run assembly` writes the result to src/packet/checksum-module.ts.
 * The module is committed, so that nobody needs the compiler to build wiremesh; compile.test.ts keeps it true.
 */
import asc from 'assemblyscript/asc';

const SOURCE = 'src/packet/assembly/checksum.ts';
const OPTIONS = ['-O3', '--runtime', 'stub', '--noAssert', '--importMemory', '--enable', 'simd'];

/** @returns the text of the TypeScript module. @throws Error with what the compiler says */
export async function compileChecksumModule(): Promise<string> {
  const binaryName = 'module.wasm';
  let binary: Uint8Array | undefined;
  const { error, stderr } = await asc.main([SOURCE, ...OPTIONS, '--outFile', binaryName], {
    writeFile: (name, contents) => {
      if (name === binaryName) binary = contents as Uint8Array;
    },
  });
  if (error !== null || binary === undefined) throw new Error(stderr.toString());
  const lines = Buffer.from(binary)
    .toString('base64')
    .match(/.{1,110}/g)!;
  return `// Made from assembly/checksum.ts by \`npm run assembly\`. Do not edit.

/** A WebAssembly module in base64: \`sum\` and \`copyAndSum\` over the memory that it imports as \`env.memory\`. */
export const CHECKSUM_MODULE =
${lines.map((line) => `  '${line}'`).join(' +\n')};
`;
}
