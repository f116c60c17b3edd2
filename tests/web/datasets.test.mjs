// The page Datasets in a real browser against a running server with devices: frozen, looked at, exported, compared.
//
//   GLEANER_URL=http://127.0.0.1:8080 node --test tests/web/datasets.test.mjs
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { ask, close, eventually, launch, shoot, url, visit } from './browser.mjs';
import { accessibilityProblems, contrastProblems, tooWide } from './checks.mjs';

after(close);

/** So that the tests may run again on the same server. */
const mark = Date.now().toString(36);
const first = `the-first-of-two-versions-whose-names-are-long-${mark}`;
const second = `second-${mark}`;

let frames = [];

async function label(frame, classId) {
  await ask('LabelService/SaveLabel', {
    frame: frame.id,
    schema: 'carts',
    verdict: 'VERDICT_CREATED',
    annotation: { boxes: classId ? [{ x: 0.1, y: 0.2, width: 0.3, height: 0.4, classId }] : [] },
  });
}

before(async () => {
  await launch();
  await ask('LabelService/CreateSchema', {
    schema: { name: 'carts', kind: 'KIND_BOXES', classes: [{ id: 1, name: 'bottle' }, { id: 2, name: 'mug' }, { id: 3, name: 'box' }] },
  });
  frames = await eventually('ten frames', async () => {
    const { frames: found = [] } = await ask('FrameService/ListFrames', { pageSize: 60 });
    return found.length >= 10 && found;
  });
  for (const [i, frame] of frames.slice(0, 10).entries()) await label(frame, i % 3);
});

test('a dataset is frozen by the form, and its card is shown when it is there', async () => {
  await visit('/clips', async (page) => {
    await page.getByRole('navigation', { name: 'Rooms' }).getByRole('link', { name: 'Datasets' }).click();
    await page.waitForURL((at) => at.pathname === '/datasets');
    await page.getByRole('heading', { name: 'Datasets', level: 1 }).waitFor();
    await page.keyboard.press('n');
    const form = page.getByRole('form', { name: 'Freeze a dataset' });
    await form.getByLabel('Name').fill('No Such Name');
    await form.getByRole('alert').filter({ hasText: 'A name has 1 to 63' }).waitFor();
    await form.getByLabel('Name').fill(first);
    await form.getByLabel('Schema').selectOption('carts');
    await form.getByLabel('Filter of frames').fill('shapness>0.1');
    await form.getByRole('button', { name: 'Freeze' }).click();
    // The server's own words, with the place.
    await form.getByRole('alert').filter({ hasText: 'column 1' }).waitFor();
    await form.getByLabel('Filter of frames').fill('');
    await shoot(page, 'datasets-form');
    await form.getByRole('button', { name: 'Freeze' }).click();
    await page.waitForURL((at) => at.searchParams.get('name') === first);
    await page.locator(`[data-card="${first}"]`).waitFor();
    const { dataset } = await ask('DatasetService/GetDataset', { name: first });
    assert.equal(await page.locator('[data-root]').innerText(), dataset.root);
    assert.ok(Number(dataset.frames) >= 1);
    await page.getByRole('table', { name: 'Class' }).getByRole('rowheader', { name: 'bottle' }).waitFor();
    await page.getByRole('button', { name: 'Verify' }).click();
    await page.getByRole('status').filter({ hasText: 'the same root' }).waitFor();
    await shoot(page, 'dataset-light');
  }, { expected: /400/ });
});

test('an export is made, and its file is what it says', async () => {
  await visit(`/datasets?name=${first}`, async (page) => {
    const form = page.getByRole('form', { name: 'Export this dataset' });
    await eventually('formats to choose from', async () => (await form.getByLabel('Format').locator('option').count()) >= 6);
    await form.getByLabel('Format').selectOption('coco');
    await form.getByRole('button', { name: 'Export' }).click();
    const link = page.locator('[data-export=coco] a').first();
    await link.waitFor();
    const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
    const bytes = await readFile(await download.path());
    const { exports } = await ask('DatasetService/ListExports', { name: first });
    assert.equal(createHash('sha256').update(bytes).digest('hex'), exports[0].files[0].sha256);
    assert.equal(download.suggestedFilename(), `${first}-coco.tar`);
  });
});

test('an export that is refused says why in its own words', async () => {
  const { cardJson } = await ask('DatasetService/GetDataset', { name: first });
  const bySplit = JSON.parse(cardJson).by_split;
  const empty = Object.keys(bySplit).find((split) => bySplit[split] === 0);
  if (!empty) return; // all splits have frames, so there is nothing to refuse
  await visit(`/datasets?name=${first}`, async (page) => {
    const form = page.getByRole('form', { name: 'Export this dataset' });
    await eventually('formats to choose from', async () => (await form.getByLabel('Format').locator('option').count()) >= 6);
    for (const split of Object.keys(bySplit)) await form.getByLabel(split).setChecked(split === empty);
    await form.getByLabel('Format').selectOption('yolo');
    await form.getByRole('button', { name: 'Export' }).click();
    await page.getByRole('alert').filter({ hasText: `no frame of ${first} is in ${empty}` }).waitFor();
  });
});

test('two versions are compared, in the address', async () => {
  await label(frames[0], 3);
  await ask('DatasetService/FreezeDataset', { name: second, schema: 'carts' });
  await eventually('the second version', async () => (await ask('DatasetService/ListDatasets')).datasets?.some((one) => one.name === second));
  await visit(`/datasets?name=${second}`, async (page) => {
    await page.getByLabel('Since').selectOption(first);
    await page.waitForURL((at) => at.searchParams.get('since') === first);
    const diff = await ask('DatasetService/DiffDatasets', { from: first, to: second, limit: 10 });
    const said = await page.locator('[data-diff]').innerText();
    assert.match(said, new RegExp(`${diff.changed ?? 0} changed`));
    await page.keyboard.press('Escape');
    await page.waitForURL((at) => !at.searchParams.has('name'));
    await page.locator(`[data-dataset="${second}"]`).waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.waitForURL((at) => at.searchParams.get('name') === second);
  });
});

test('every view of it is named for a screen reader, readable, and fits from a phone to a wide screen', async () => {
  for (const path of ['/datasets', `/datasets?name=${first}&since=${second}`, '/datasets?freeze=yes']) {
    for (const [size, dark] of [[[1440, 900], false], [[1440, 900], true], [[360, 740], false], [[360, 740], true], [[2560, 1200], false]]) {
      await visit(
        path,
        async (page) => {
          await page.getByRole('heading', { level: 1 }).first().waitFor();
          await page.locator(path.includes('name=') ? `[data-card="${first}"] table` : path.includes('freeze') ? 'form option' : `[data-dataset="${first}"]`).first().waitFor({ state: 'attached' });
          assert.deepEqual(await page.evaluate(accessibilityProblems), [], `${path} at ${size}`);
          assert.deepEqual(await page.evaluate(contrastProblems), [], `${path} at ${size}`);
          assert.deepEqual(await page.evaluate(tooWide), [], `${path} at ${size}`);
          await shoot(page, `datasets${path.includes('name=') ? '-card' : path.includes('freeze') ? '-freeze' : ''}-${size[0]}${dark ? '-dark' : ''}`);
        },
        { size, dark },
      );
    }
  }
});

test('a dataset that is not there says so', async () => {
  await visit(
    '/datasets?name=none',
    async (page) => {
      await page.getByRole('alert').filter({ hasText: 'There is no dataset none' }).waitFor();
    },
    { expected: /404/ },
  );
  assert.ok(url);
});
