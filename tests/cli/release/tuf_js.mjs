// npm's tuf-js does what a plan says, and prints what came of each step as JSON.
//
//   node tuf_js.mjs PLAN.json     PLAN: [{ "client": folder, "root"?: file, "repository": url, "target"?: path }, …]
//
// A step with "root" begins a client anew in its folder. Without "target" it only refreshes.
import { createRequire } from 'node:module';
import fs from 'node:fs';
import path from 'node:path';

const { Updater } = createRequire(new URL('../../../third_party/npm/package.json', import.meta.url))('tuf-js');

async function run({ client, root, repository, target }) {
  if (root) {
    fs.rmSync(client, { recursive: true, force: true });
    fs.mkdirSync(path.join(client, 'targets'), { recursive: true });
    fs.copyFileSync(root, path.join(client, 'root.json'));
  }
  const updater = new Updater({
    metadataDir: client,
    metadataBaseUrl: repository,
    targetDir: path.join(client, 'targets'),
    targetBaseUrl: `${repository}/targets`,
    config: { fetchRetry: 0 },
  });
  try {
    await updater.refresh();
    if (!target) return { ok: true };
    const info = await updater.getTargetInfo(target);
    if (!info) return { ok: false, error: 'no such target' };
    const file = await updater.downloadTarget(info, path.join(client, 'targets', 'file'));
    return { ok: true, bytes: fs.statSync(file).size, custom: info.custom };
  } catch (error) {
    return { ok: false, error: `${error.constructor.name}: ${error.message}` };
  }
}

const results = [];
for (const step of JSON.parse(fs.readFileSync(process.argv[2], 'utf8'))) results.push(await run(step));
console.log(JSON.stringify(results));
process.exit(0);
