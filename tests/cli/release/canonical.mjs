// What npm's @tufjs/canonical-json makes of each document of a file: an array of texts in, one out.
import { createRequire } from 'node:module';
import fs from 'node:fs';

const { canonicalize } = createRequire(new URL('../../../third_party/npm/package.json', import.meta.url))(
  '@tufjs/canonical-json',
);
const documents = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
fs.writeFileSync(process.argv[3], JSON.stringify(documents.map((text) => canonicalize(JSON.parse(text)))));
