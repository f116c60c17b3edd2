// Selections in a real browser against a running server with devices: asked for, looked at, made tasks of, compared; and filters that
// offer the server's words while one writes them.
//
//   GLEANER_URL=http://127.0.0.1:8080 node --test tests/web/select.test.mjs
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ask, close, eventually, launch, shoot, visit } from './browser.mjs';
import { accessibilityProblems, contrastProblems, tooWide } from './checks.mjs';

after(close);

/** So that the tests may run again on the same server. */
const mark = Date.now().toString(36);
const first = `the-first-of-two-selections-whose-names-are-long-${mark}`;
const second = `second-${mark}`;
const CLASSES = ['bottle', 'mug', 'box'];
const FRAMES = 24;

let fresh = false;

const selection = async (name) => (await ask('CurateService/GetSelection', { name, pageSize: 500 })).selection;
const picksOf = async (name) => (await ask('CurateService/GetSelection', { name, pageSize: 500 })).picks ?? [];
const keyOf = ({ frame }) => `${frame.clip}/${frame.camera}/${frame.pts ?? 0}`;

before(async () => {
  await launch();
  fresh = !(await ask('CurateService/ListSelections')).selections?.length;
});

test('a room without selections says what one is, and a key leads to it', async () => {
  await visit('/review', async (page) => {
    await page.getByRole('main').getByRole('link', { name: 'Selections' }).waitFor();
    await page.keyboard.press('?');
    const help = page.getByRole('dialog', { name: 'Keys' });
    await help.getByText('Selections', { exact: true }).waitFor();
    await page.keyboard.press('Escape');
    await help.waitFor({ state: 'detached' });
    await page.keyboard.press('s');
    await page.waitForURL('**/review/selections');
    await page.getByRole('heading', { name: 'Selections', level: 1 }).waitFor();
    if (fresh) {
      await page.getByRole('heading', { name: 'Nothing was chosen yet' }).waitFor();
      await shoot(page, 'selections-none');
      await page.getByRole('link', { name: 'Have the first frames chosen' }).click();
      await page.getByRole('form', { name: 'Choose frames' }).getByText('There is no schema yet').waitFor();
      await page.keyboard.press('Tab');
    }
  });
});

test('enough frames are there, and a model has said something of each', async () => {
  const { schemas = [] } = await ask('LabelService/ListSchemas');
  if (!schemas.some(({ name }) => name === 'carts')) {
    await ask('LabelService/CreateSchema', {
      schema: { name: 'carts', kind: 'KIND_BOXES', classes: CLASSES.map((name, n) => ({ id: n + 1, name })) },
    });
  }
  const frames = await eventually(`${FRAMES} frames`, async () => {
    const { frames: found = [] } = await ask('FrameService/ListFrames', { filter: '-background:yes', pageSize: 200 });
    return found.length >= FRAMES && found;
  });
  const lines = frames.map(({ id }, n) =>
    JSON.stringify({ frame: id, annotation: { boxes: [{ x: 0.1, y: 0.2, width: 0.3, height: 0.4, classId: 1 + (n % 3), confidence: 0.5 + (n % 40) / 100 }] } }),
  );
  await ask('LabelService/ImportPredictions', { schema: 'carts', model: 'made-up', modelVersion: mark, jsonLines: lines.join('\n') });
});

test('a filter of frames is written with the server’s words, by keys and by pointer, and its mistake is marked where it is', async () => {
  await visit(
    '/review/selections?choose=yes',
    async (page) => {
      const field = page.getByLabel('Filter of frames');
      await field.click();
      await field.pressSequentially('shar');
      await page.getByRole('option', { name: /^sharpness</ }).waitFor();
      await page.keyboard.press('ArrowDown');
      assert.equal(await field.getAttribute('aria-activedescendant'), await page.locator('[role=option][aria-selected=true]').getAttribute('id'));
      await shoot(page, 'filter-words');
      await page.keyboard.press('Enter');
      assert.equal(await field.inputValue(), 'sharpness<');
      await field.pressSequentially('0.95 predicted:');
      await page.getByRole('option', { name: /^bottle/ }).click();
      assert.equal(await field.inputValue(), 'sharpness<0.95 predicted:bottle');
      assert.equal(await page.locator('[role=option]').count(), 0);
      assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('role')), 'combobox', 'whoever clicked goes on writing');
      // One more value, without those that are there.
      await field.pressSequentially(',');
      await page.getByRole('option', { name: /^mug/ }).waitFor();
      assert.equal(await page.getByRole('option', { name: /^bottle/ }).count(), 0);
      await page.keyboard.press('Escape');
      await eventually('offers go by Escape', async () => (await page.locator('[role=option]').count()) === 0);
      await field.fill('');
      assert.equal(await page.locator('[role=option]').count(), 0, 'nothing covers what is below an empty field');
      await page.keyboard.press('ArrowDown');
      await page.getByRole('option', { name: /^background:/ }).waitFor();
      await field.fill('reviewed:no predicted:bottle');
      await eventually('the frames are counted', async () => /^[\d,]+ frames?$/.test(await page.locator('[id$=-note]').innerText()));
      await field.fill('site:a  shapness<0.2 device:x');
      await page.keyboard.press('Tab');
      await page.getByRole('alert').filter({ hasText: 'did you mean "sharpness"' }).waitFor();
      assert.equal(await page.locator('.overlay i').innerText(), 'shapness<0.2');
      assert.equal(await field.getAttribute('aria-invalid'), 'true');
      assert.deepEqual(await page.evaluate(contrastProblems), []);
      await shoot(page, 'filter-mistake');
    },
    { expected: /400/ },
  );
});

test('the filter of clips offers words about clips, and values with how many there are', async () => {
  await visit(
    '/clips',
    async (page) => {
      const field = page.getByLabel('Filter', { exact: true });
      await page.keyboard.press('/');
      await page.keyboard.type('-dev');
      await page.getByRole('option', { name: /^device:/ }).waitFor();
      assert.equal(await page.getByRole('option', { name: /^sharpness/ }).count(), 0);
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Tab');
      assert.equal(await field.inputValue(), '-device:');
      await page.getByRole('option', { name: /^cart-2.*clips?$/ }).click();
      assert.equal(await field.inputValue(), '-device:cart-2');
      await page.waitForURL((at) => at.searchParams.get('q') === '-device:cart-2');
      await page.getByRole('button', { name: 'Remove -device:cart-2' }).waitFor();
      await field.fill('device:cart-1 colour:red');
      const alert = page.locator('#filter-note[role=alert]');
      await alert.filter({ hasText: 'column 15' }).waitFor();
      assert.equal(await page.locator('.overlay i').innerText(), 'colour:red');
      assert.ok(!new URL(page.url()).search.includes('colour'), 'what can’t be read waits for Enter');
    },
    { expected: /400/ },
  );
});

test('a selection is asked for by the form, and a strategy that lacks something says so', async () => {
  await visit('/review/selections', async (page) => {
    await page.getByRole('main').getByRole('link', { name: /Choose frames|first frames/ }).first().waitFor();
    await page.keyboard.press('n');
    const form = page.getByRole('form', { name: 'Choose frames' });
    await form.getByLabel('Name').fill('No Such Name');
    await form.getByRole('alert').filter({ hasText: 'A name has 1 to 63' }).waitFor();
    await form.getByLabel('Name').fill(first);
    await form.getByLabel('Schema').selectOption('carts');
    await form.getByText('where the model\'s two best answers are closest').waitFor();
    await form.getByLabel(/^ ?random at random, of all/).fill('0');
    await form.getByRole('alert').filter({ hasText: 'every selection has some of it' }).waitFor();
    await form.getByLabel(/^ ?random at random, of all/).fill('20');
    await form.getByLabel(/^ ?hybrid/).fill('');
    await form.getByLabel(/^ ?margin/).fill('60');
    await form.getByLabel('Model whose predictions are asked').fill('nobody');
    await form.getByRole('button', { name: 'Choose' }).click();
    await form.getByRole('alert').filter({ hasText: /Choosing was refused: .*margin/ }).waitFor();
    await form.getByLabel('Model whose predictions are asked').fill('');
    await form.getByLabel('Budget').fill('12');
    await form.getByLabel('Seed').fill('7');
    await shoot(page, 'selections-form');
    await form.getByRole('button', { name: 'Choose' }).click();
    await page.waitForURL((at) => at.searchParams.get('name') === first);
    await page.locator(`[data-page="${first}"]`).waitFor();
    const made = await selection(first);
    assert.equal(made.picks, 12);
    assert.equal(made.seed, '7');
    assert.ok(made.arms.some(({ strategy }) => strategy === 'margin'));
  });
});

test('each pick says who chose it and why, and opens its clip at that frame', async () => {
  const picks = await picksOf(first);
  await visit(`/review/selections?name=${first}`, async (page) => {
    const tiles = page.locator('[data-pick]');
    await eventually('all picks are there', async () => (await tiles.count()) === picks.length);
    assert.deepEqual(await tiles.evaluateAll((all) => all.map((tile) => tile.dataset.pick)), picks.map(keyOf), 'in the order in which they were chosen');
    for (const [n, { reason, predicted, strategy }] of picks.entries()) {
      const said = await tiles.nth(n).innerText();
      for (const words of [reason, strategy, ...(predicted ? [`predicted ${predicted}`] : [])]) assert.ok(said.includes(words), `${words} in ${said}`);
    }
    await eventually('pictures', () => tiles.first().locator('img').evaluate((picture) => picture.complete && picture.naturalWidth > 0));
    await shoot(page, 'selection');

    const margin = picks.filter(({ strategy }) => strategy === 'margin');
    await page.getByRole('group', { name: 'By strategy' }).getByRole('button', { name: /^margin/ }).click();
    await page.waitForURL((at) => at.searchParams.get('strategy') === 'margin');
    await eventually('only picks by margin', async () => (await tiles.count()) === margin.length);

    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await eventually('the second one has the focus', () => page.evaluate((key) => document.activeElement?.dataset?.pick === key, keyOf(margin[1])));
    await page.keyboard.press('Enter');
    await page.waitForURL((at) => at.pathname === `/clips/${margin[1].frame.clip}`);
    const position = page.getByRole('slider', { name: 'Position' });
    await position.waitFor();
    const { frame } = await ask('FrameService/GetFrame', { id: margin[1].frame });
    await eventually('the clip stands at that frame', async () => Math.abs(Number(await position.getAttribute('aria-valuenow')) - (frame.offsetS ?? 0)) < 0.05);
    await page.goBack();
    await eventually('the way back ends where it began', () => page.evaluate((key) => document.activeElement?.dataset?.pick === key, keyOf(margin[1])));
  });
});

test('a set of tasks is made of a selection', async () => {
  await visit(`/review/selections?name=${first}`, async (page) => {
    await page.locator('[data-pick]').first().waitFor();
    await page.keyboard.press('m');
    await page.waitForURL((at) => at.pathname === '/review' && at.searchParams.get('make') === 'yes');
    const form = page.getByRole('form', { name: 'A new set of tasks' });
    assert.equal(await form.getByLabel('Filter of frames').inputValue(), `selected:${first}`);
    assert.equal(await form.getByLabel('Schema').inputValue(), 'carts');
    await eventually('its frames are counted', async () => (await form.locator('[id$=-note]').innerText()) === '12 frames');
    await form.getByRole('button', { name: 'Make the set' }).click();
    await page.locator('[data-set]').filter({ hasText: `selected:${first}` }).waitFor();
    await page.waitForURL((at) => !at.searchParams.has('make'));
  });
});

test('two selections are compared, in the address: what both have, where they differ, what became of each', async () => {
  await ask('CurateService/CreateSelection', { name: second, schema: 'carts', budget: 10, arms: [{ strategy: 'random', share: 50 }, { strategy: 'class_balance', share: 50 }], seed: 2 });
  await eventually('the second selection', async () => (await ask('CurateService/ListSelections')).selections?.some(({ name }) => name === second));
  for (const { frame } of (await picksOf(first)).slice(0, 5)) {
    await ask('LabelService/SaveLabel', {
      frame,
      schema: 'carts',
      verdict: 'VERDICT_CREATED',
      humanMs: 3000,
      annotation: { boxes: [{ x: 0.1, y: 0.2, width: 0.3, height: 0.4, classId: 1 }] },
    });
  }
  await visit(`/review/selections?name=${first}`, async (page) => {
    const outcome = page.locator('[data-outcome]');
    await outcome.waitFor();
    await page.getByLabel('Beside').selectOption(second);
    await page.waitForURL((at) => at.searchParams.get('with') === second);
    await page.locator('[data-both]').waitFor();
    const compared = await ask('CurateService/CompareSelections', { from: first, to: second });
    const line = async (name) => (await outcome.getByRole('row').filter({ has: page.getByRole('rowheader', { name }) }).getByRole('cell').allInnerTexts());
    assert.deepEqual(await line(/^Frames/), ['12', '10']);
    assert.match((await line(/^Labelled since/))[0], /^5 \(42/);
    assert.match((await line(/^People’s time/))[0], /^15/);
    assert.match((await line(/^From scratch/))[0], /^5 /);
    const both = await page.locator('[data-both]').innerText();
    assert.ok(both.includes(`${compared.both ?? 0} frame`), both);
    const strategy = page.getByRole('table', { name: 'Strategy' });
    for (const one of compared.differences.filter(({ what }) => what === 'strategy')) {
      const row = strategy.getByRole('row').filter({ has: page.getByRole('rowheader', { name: one.value, exact: true }) });
      assert.deepEqual((await row.getByRole('cell').allInnerTexts()).slice(-2), [`${one.from ?? 0}`, `${one.to ?? 0}`]);
    }
    await shoot(page, 'selections-compared');
  });
});

test('the list has the newest first with how many were labelled, and is walked through by keys', async () => {
  await visit('/review/selections', async (page) => {
    const rows = page.locator('[data-selection]');
    await rows.first().waitFor();
    const { selections } = await ask('CurateService/ListSelections');
    assert.deepEqual(await rows.evaluateAll((all) => all.map((row) => row.dataset.selection)), selections.map(({ name }) => name));
    const row = page.locator(`[data-selection="${first}"]`);
    await eventually('its labels are counted', async () => /^5\b/.test(await row.locator('[data-label=Labelled]').innerText()));
    assert.match(await row.innerText(), /margin \d+/);
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.waitForURL((at) => at.searchParams.get('name') === selections[0].name);
    await page.keyboard.press('Escape');
    await page.waitForURL((at) => !at.searchParams.has('name'));
    await rows.first().waitFor();
    await page.keyboard.press('Escape');
    await page.waitForURL('**/review');
  });
});

test('of ten thousand picks only those in view are there', async () => {
  const made = await selection(first);
  const MANY = 10_000;
  const pick = (n) => ({ frame: { clip: '00', camera: 'front', pts: String(n) }, strategy: n % 100 === 0 ? 'random' : 'margin', score: 0.5, reason: `the ${n}th`, device: 'cart-1' });
  await visit(
    '/nowhere',
    async (page) => {
      const asked = [];
      await page.route('**/frames/**', (route) => route.fulfill({ status: 204 }));
      await page.route('**/gleaner.v1.CurateService/GetSelection*', (route) => {
        const { pageSize, pageToken = '0' } = route.request().method() === 'GET' ? JSON.parse(new URL(route.request().url()).searchParams.get('message')) : route.request().postDataJSON();
        const from = Number(pageToken);
        asked.push(from);
        const picks = Array.from({ length: Math.min(pageSize, MANY - from) }, (_, n) => pick(from + n));
        return route.fulfill({ json: { selection: { ...made, picks: MANY }, picks, ...(from + pageSize < MANY ? { nextPageToken: String(from + pageSize) } : {}) } });
      });
      await page.goto(new URL(`/review/selections?name=${first}`, page.url()).href);
      const tiles = page.locator('[data-pick]');
      await tiles.first().waitFor();
      const loaded = asked.length;
      assert.ok(loaded <= 3, `pages are asked for as they are needed: ${asked}`);
      for (let n = 0; n < 6; n++) {
        const before = asked.length;
        await page.locator('.scroller').evaluate((scroller) => scroller.scrollTo(0, scroller.scrollHeight));
        await eventually('more pages come as one scrolls', () => asked.length > before);
        assert.ok((await tiles.count()) < 120, 'only what is in view is there');
      }
      assert.equal(new Set(asked).size, asked.length, 'no page is asked for twice');
    },
  );
});

test('every view of it is named for a screen reader, readable, and fits from a phone to a wide screen', async () => {
  const views = [
    ['/review/selections', `[data-selection="${first}"]`, 'list'],
    [`/review/selections?name=${first}&with=${second}`, '[data-both]', 'one'],
    ['/review/selections?choose=yes', 'form .arm', 'choose'],
    [`/review?make=yes&filter=selected:${first}`, 'form option', 'tasks'],
  ];
  for (const [path, there, name] of views) {
    for (const [size, dark] of [[[1440, 900], false], [[1440, 900], true], [[360, 740], false], [[360, 740], true], [[2560, 1200], false]]) {
      await visit(
        path,
        async (page) => {
          await page.getByRole('heading', { level: 1 }).first().waitFor();
          await page.locator(there).first().waitFor({ state: 'attached' });
          if (name === 'one') await page.locator('[data-pick]').first().waitFor();
          assert.deepEqual(await page.evaluate(accessibilityProblems), [], `${path} at ${size}`);
          assert.deepEqual(await page.evaluate(contrastProblems), [], `${path} at ${size}`);
          assert.deepEqual(await page.evaluate(tooWide), [], `${path} at ${size}`);
          await shoot(page, `selections-${name}-${size[0]}${dark ? '-dark' : ''}`);
        },
        { size, dark },
      );
    }
  }
});

test('a selection that is not there says so', async () => {
  await visit(
    '/review/selections?name=none',
    async (page) => {
      await page.getByRole('alert').filter({ hasText: /There is no selection.*none/i }).waitFor();
    },
    { expected: /404/ },
  );
});
