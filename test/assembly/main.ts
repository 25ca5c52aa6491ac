/** `npm run assembly`: writes src/packet/checksum-module.ts anew. */
import { writeFileSync } from 'node:fs';
import { compileChecksumModule } from './compile.ts';

writeFileSync('src/packet/checksum-module.ts', await compileChecksumModule());
