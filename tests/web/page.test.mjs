// The page in a real browser against a running server with devices that keep sending clips.
//
//   GLEANER_URL=http://127.0.0.1:8080 node --test tests/web/page.test.mjs
//
// GLEANER_URL  the server; three devices, clips still arriving. The rest: browser.mjs
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ask, close, eventually, launch, shoot, url, visit } from './browser.mjs';
import { accessibilityProblems, contrastProblems, tooWide } from './checks.mjs';

before(launch);
after(close);

const cards = (page) => page.locator('[data-clip]');
const cardIds = (page) => cards(page).evaluateAll((all) => all.map((card) => card.dataset.clip));

/** The newest clip of each device that the media worker has checked. */
async function checkedClips() {
  const { devices } = await ask('CatalogService/ListDevices');
  const newest = async ({ name }) => (await ask('CatalogService/ListClips', { filter: `device:${name} media:ok codec:h264`, pageSize: 1 })).clips?.[0];
  return eventually(
    'a clip of every device whose media check is ok',
    async () => {
      const found = await Promise.all(devices.map(newest));
      return found.every(Boolean) && found;
    },
  );
}

test('the grid shows the newest clips with their pictures, and the head numbers', async () => {
  await visit('/', async (page) => {
    await cards(page).first().waitFor();
    assert.equal(new URL(page.url()).pathname, '/clips');
    const { clips } = await ask('CatalogService/ListClips', { pageSize: 500 });
    const known = new Set(clips.map((clip) => clip.id));
    for (const id of (await cardIds(page)).slice(0, 6)) assert.ok(known.has(id), `${id} is in the catalog`);
    await eventually('every picture on screen is loaded', () =>
      page
        .locator('[data-clip] img')
        .evaluateAll((all) => all.length > 0 && all.every((image) => image.complete && image.naturalWidth > 0)),
    );
    const shown = Number((await page.locator('[data-figure=clips]').innerText()).replaceAll(',', ''));
    assert.ok(shown > 0, 'the head counts clips');
    await shoot(page, 'clips-light');
    await page.emulateMedia({ colorScheme: 'dark' });
    await shoot(page, 'clips-dark');
  });
});

test('a clip that arrives appears on top without a reload', async () => {
  await visit('/clips', async (page) => {
    await cards(page).first().waitFor();
    await page.evaluate(() => (window.unloaded = false));
    const before = new Set(await cardIds(page));
    const fresh = await eventually(
      'a new card',
      async () => {
        const [first] = await cardIds(page);
        return before.has(first) ? '' : first;
      },
    );
    assert.equal(await page.evaluate(() => window.unloaded), false, 'the page was not loaded again');
    const { clips } = await ask('CatalogService/ListClips', { filter: `id:${fresh}` });
    assert.equal(clips.length, 1, 'the new card is a clip of the catalog');
  });
});

test('further down, arrivals wait behind a pill', async () => {
  await visit(
    '/clips',
    async (page) => {
      await cards(page).first().waitFor();
      const scroller = page.locator('.scroller');
      await eventually('more clips than fit', () => scroller.evaluate((s) => s.scrollHeight > s.clientHeight + 60));
      await scroller.evaluate((s) => (s.scrollTop = 60));
      const pill = page.getByRole('button', { name: /new clip/ });
      await pill.waitFor();
      assert.ok((await scroller.evaluate((s) => s.scrollTop)) > 8, 'the view has not moved');
      await pill.click();
      await eventually('the view is at the top', () => scroller.evaluate((s) => s.scrollTop === 0));
      await pill.waitFor({ state: 'detached' });
    },
    { size: [360, 420] },
  );
});

test('the filter is text, chips and address at once', async () => {
  const { deviceFacet } = await ask('CatalogService/GetSummary');
  const device = deviceFacet[0].value;
  await visit('/clips', async (page) => {
    await cards(page).first().waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type(`device:${device}`);
    await page.keyboard.press('Enter');
    await page.waitForURL((at) => at.searchParams.get('q') === `device:${device}`);
    const only = () => cards(page).evaluateAll((all, name) => all.length > 0 && all.every((card) => card.getAttribute('aria-label').startsWith(`${name},`)), device);
    await eventually('only clips of that device', only);
    await page.getByRole('button', { name: `Device: ${device}` }).click();
    const option = page.getByRole('checkbox', { name: new RegExp(`^${device}`) });
    assert.equal(await option.isChecked(), true, 'the chip knows what the text says');
    await option.uncheck();
    await page.waitForURL((at) => !at.searchParams.has('q'));
    assert.equal(await page.getByLabel('Filter', { exact: true }).inputValue(), '', 'the chip writes the text');
    await page.goBack();
    await eventually('back brings the filter back', async () => (await page.getByLabel('Filter', { exact: true }).inputValue()) === `device:${device}`);
    await eventually('and its clips', only);
  });
});

test('a menu opens inside the window', async () => {
  for (const path of ['/clips', '/fleet']) {
    for (const size of [[1440, 900], [360, 740]]) {
      await visit(
        path,
        async (page) => {
          const chips = page.locator('.chips button[aria-expanded]');
          await chips.first().waitFor();
          for (const chip of await chips.all()) {
            await chip.click();
            const panel = page.locator('.menu [role=group]');
            const box = await panel.boundingBox();
            assert.ok(box.x >= 0 && box.x + box.width <= size[0], `${path} at ${size[0]} px: ${await chip.innerText()} from ${box.x} px`);
            await page.keyboard.press('Escape');
            await panel.waitFor({ state: 'detached' });
          }
        },
        { size },
      );
    }
  }
});

test('a filter that can not be read says where', async () => {
  await visit(
    '/clips?q=device:a%20colour:red',
    async (page) => {
      const alert = page.locator('#filter-note[role=alert]');
      await alert.waitFor();
      assert.match(await alert.innerText(), /column|\d/i);
      await shoot(page, 'clips-wrong-filter');
    },
    { expected: /400/ },
  );
});

test('j, k, Enter and Esc walk through the clips', async () => {
  await visit('/clips', async (page) => {
    await cards(page).first().waitFor();
    const focused = () => page.evaluate(() => document.activeElement?.dataset?.clip ?? '');
    await page.keyboard.press('j');
    const first = await eventually('a card has the focus', focused);
    await page.keyboard.press('j');
    const second = await eventually('the next card has it', async () => {
      const id = await focused();
      return id !== first && id;
    });
    await page.keyboard.press('k');
    await eventually('and the first again', async () => (await focused()) === first);
    await page.keyboard.press('j');
    await eventually('and the second again', async () => (await focused()) === second);
    await page.keyboard.press('Enter');
    await page.waitForURL(`**/clips/${second}`);
    await page.getByRole('slider', { name: 'Position' }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), 'main', 'the view that replaced the card has the focus');
    await page.keyboard.press('Escape');
    await page.waitForURL('**/clips');
    await eventually('the card that was left has the focus', async () => (await focused()) === second);
    await page.keyboard.press('?');
    const keys = page.getByRole('dialog', { name: 'Keys' });
    await keys.waitFor();
    // Which commit the server was made of: what a report of a fault must name.
    assert.match(await keys.textContent(), /Gleaner \d+\.\d+\.\d+(\+[0-9a-z.]+)?/);
    await page.keyboard.press('Escape');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor({ state: 'detached' });
    await page.getByRole('link', { name: 'Fleet' }).focus();
    await page.keyboard.press('Enter');
    await page.waitForURL('**/fleet');
  });
});

test('an address that can not be decoded is answered like any other', async () => {
  await visit(
    '/nowhere',
    async (page) => {
      await page.evaluate(() => {
        history.pushState(null, '', '/clips/%zz');
        dispatchEvent(new PopStateEvent('popstate'));
      });
      await page.getByRole('heading', { name: 'There is no clip' }).waitFor();
    },
    { expected: /404/ },
  );
});

test('clips of every device play, frame by frame as the manifest says', async () => {
  for (const clip of await checkedClips()) {
    const { manifest } = await ask('CatalogService/GetClip', { id: clip.id });
    const track = manifest.video[0];
    const tick = track.timeBaseNumerator / track.timeBaseDenominator;
    const frame = (n) => (track.ptsDelta ?? []).slice(0, n).reduce((sum, delta) => sum + delta, 0) * tick;
    const firstPts = Number(track.firstPts ?? 0) * tick;
    const startS = Number(BigInt(track.firstFrameMonotonicNs) - BigInt(manifest.delivered.startMonotonicNs)) / 1e9;
    await visit(`/clips/${clip.id}`, async (page) => {
      const video = page.locator('video').first();
      const slider = page.getByRole('slider', { name: 'Position' });
      const position = async () => Number(await slider.getAttribute('aria-valuenow'));
      const time = () => video.evaluate((v) => v.currentTime);
      await eventually('it can be played', () => page.getByRole('button', { name: 'Play' }).isEnabled());

      const began = await time();
      await page.keyboard.press(' ');
      await eventually('currentTime advances', async () => (await time()) > began + 0.5);
      await page.keyboard.press(' ');
      await eventually('it rests', () => video.evaluate((v) => v.paused));
      const rested = await time();
      assert.ok(Math.abs((await position()) - (rested - began)) < 0.25, 'the playhead went along');

      // The file keeps the source's PTS. Chromium counts in them, other browsers may count from 0: both are right, nothing else is.
      await page.keyboard.press('0');
      for (let i = 0; i < 5; i++) await page.keyboard.press('.');
      await page.getByText(/^frame 6 /).waitFor();
      assert.ok(Math.abs((await position()) - startS - frame(5)) < 0.002, 'five steps are five frames of the manifest');
      await page.keyboard.press(',');
      await page.getByText(/^frame 5 /).waitFor();
      const at = await time();
      const off = Math.min(Math.abs(at - firstPts - frame(4)), Math.abs(at - frame(4)));
      assert.ok(off < 0.005, `${clip.device}: the video is at ${at} s, the fifth frame at ${firstPts + frame(4)} s`);
    });
  }
});

test('the timeline seeks, shows the evidence, and the address keeps the place', async () => {
  const [clip] = await checkedClips();
  await visit(`/clips/${clip.id}`, async (page) => {
    const slider = page.getByRole('slider', { name: 'Position' });
    const position = async () => Number(await slider.getAttribute('aria-valuenow'));
    await eventually('it can be played', () => page.getByRole('button', { name: 'Play' }).isEnabled());
    assert.ok((await page.locator('.row canvas').count()) >= 1, 'the evidence is plotted');
    assert.ok((await page.locator('.firing').count()) >= 1, 'a firing is marked');

    const box = await slider.boundingBox();
    await page.mouse.click(box.x + box.width * 0.4, box.y + box.height / 2);
    const t = await eventually('a click seeks', position);
    await page.waitForURL((at) => Math.abs(Number(at.searchParams.get('t')) - t) < 0.01);
    await page.reload();
    await eventually('the shared address leads to the same place', async () => Math.abs((await position()) - t) < 0.01);
    await slider.focus();
    await page.keyboard.press('ArrowRight');
    await eventually('arrow keys move it', async () => (await position()) > t + 0.05);
    await page.mouse.move(5, 5);
    await page.locator('h1').click();
    await eventually('the picture is there', () => page.locator('video').first().evaluate((v) => v.readyState >= 2 && !v.seeking));
    await shoot(page, 'clip-light');
    await page.emulateMedia({ colorScheme: 'dark' });
    await shoot(page, 'clip-dark');

    await page.getByRole('heading', { name: 'Manifest' }).click();
    await eventually('the manifest is there', async () => {
      const json = await page.getByLabel('Manifest as JSON').innerText();
      return json.includes(`"device": "${clip.device}"`) && json.includes('"ptsDelta"');
    });
  });
});

test('the frames of a clip stand under the timeline, named and pictured, and a click seeks', async () => {
  const [clip] = await checkedClips();
  await visit(`/clips/${clip.id}`, async (page) => {
    const strip = page.getByRole('region', { name: 'Frames' });
    const frames = strip.getByRole('button', { name: /^Frame at/ });
    await frames.first().waitFor();
    assert.ok((await frames.count()) >= 3);
    assert.ok((await strip.getByRole('button', { name: /fired/ }).count()) >= 1, 'the firing is among them');
    await eventually('each has its picture', () =>
      strip.locator('img').evaluateAll((all) => {
        for (const image of all) image.loading = 'eager';
        return all.every((image) => image.complete && image.naturalWidth === 160);
      }),
    );
    const last = frames.last();
    await last.click();
    const seconds = Number((await last.getAttribute('aria-label')).match(/at ([\d.]+)/)[1]);
    const slider = page.getByRole('slider', { name: 'Position' });
    await eventually('the playhead is there', async () => Math.abs(Number(await slider.getAttribute('aria-valuenow')) - seconds) < 0.02);
    await eventually('it is marked as the current one', async () => (await last.getAttribute('aria-current')) === 'true');
    assert.equal(await strip.locator('[aria-current]').count(), 1);
    const source = await strip.locator('img').last().getAttribute('src');
    const response = await page.request.get(url + source.replace('thumbnail', 'picture'));
    assert.equal(response.status(), 200);
    assert.equal(response.headers()['content-type'], 'image/jpeg');
    await shoot(page, 'frames-light');
    await page.emulateMedia({ colorScheme: 'dark' });
    await shoot(page, 'frames-dark');
  });
});

const picture = (route) =>
  route.fulfill({ contentType: 'image/svg+xml', body: '<svg xmlns="http://www.w3.org/2000/svg" width="3" height="2"/>' });

/** ListClips answered by `answer` to its request, and files of clips by `media`; news of clips come all the time. */
async function madeUp(page, answer, media = picture) {
  await page.route('**/events*', (route) =>
    route.fulfill({ contentType: 'text/event-stream', body: 'retry: 100\nevent: clips\ndata: {}\n\n' }),
  );
  await page.route('**/gleaner.v1.CatalogService/ListClips', (route) => route.fulfill({ json: answer(route.request().postDataJSON()) }));
  await page.route('**/media/**', media);
}

const madeUpClip = (n, media = { state: 'STATE_OK', thumbnails: 4 }) => ({
  id: n.toString(16).padStart(20, '0'),
  device: 'cart-1',
  rule: 'made-up',
  firedUnixNs: String(1_790_000_000_000_000_000n - BigInt(n) * 60_000_000_000n),
  durationS: 6,
  sizeBytes: '500000',
  hasPreview: true,
  media,
});

test('another filter from another room starts at its top', async () => {
  await visit(
    '/nowhere',
    async (page) => {
      const clips = Array.from({ length: 200 }, (_, n) => madeUpClip(n));
      const newer = madeUpClip(200);
      let arrived = false;
      await madeUp(page, ({ arrivedAfter, filter }) => {
        if (filter?.startsWith('id:')) return {};
        if (!arrivedAfter) return { clips, newest: 'n', total: 200 };
        if (!arrived) return { newest: arrivedAfter };
        return arrivedAfter === 'n' ? { clips: [newer], newest: 'm' } : { newest: 'm' };
      });
      await page.getByRole('link', { name: 'All clips', exact: true }).click();
      await cards(page).first().waitFor();
      const scroller = page.locator('.scroller');
      await scroller.evaluate((s) => (s.scrollTop = 4_000));
      await page.keyboard.press('j');
      await eventually('a card further down has the focus', () => page.evaluate(() => parseInt(document.activeElement?.dataset?.clip ?? '0', 16) > 10));
      await page.keyboard.press('f');
      await page.waitForURL('**/fleet*');
      await page.getByLabel('Filter', { exact: true }).fill('device:cart-1');
      await page.keyboard.press('Enter');
      await page.waitForURL((at) => at.searchParams.get('q') === 'device:cart-1');
      await page.locator('h1').click();
      await page.keyboard.press('c');
      await page.waitForURL('**/clips?q=device:cart-1');
      const first = page.locator(`[data-clip="${clips[0].id}"]`);
      await first.waitFor();
      assert.equal(await scroller.evaluate((s) => s.scrollTop), 0);
      const box = await first.boundingBox();
      assert.ok(box.y >= 0 && box.y < 420, `the first card is at ${box.y} px`);
      arrived = true;
      await page.locator(`[data-clip="${newer.id}"]`).waitFor();
      assert.equal(await page.getByRole('button', { name: /new clip/ }).count(), 0, 'what arrives at the top waits behind no pill');
    },
    { size: [700, 420] },
  );
});

test('a preview that could not be had is tried again with the next news of the clip', async () => {
  await visit(
    '/nowhere',
    async (page) => {
      let tries = 0;
      await madeUp(
        page,
        ({ arrivedAfter, filter }) => {
          if (filter?.startsWith('id:')) return { clips: tries > 0 ? [madeUpClip(1)] : [] };
          return arrivedAfter ? { newest: 'n' } : { clips: [madeUpClip(1, { state: 'STATE_PENDING' })], newest: 'n', total: 1 };
        },
        (route) => (++tries === 1 ? route.abort('connectionrefused') : picture(route)),
      );
      await page.getByRole('link', { name: 'All clips', exact: true }).click();
      await eventually('the preview is there', () =>
        page.locator('[data-clip] img').evaluateAll((all) => all.length > 0 && all.every((image) => image.complete && image.naturalWidth > 0)),
      );
    },
    { expected: /ERR_CONNECTION_REFUSED/ },
  );
});

test('ten thousand clips page in, and only those in view exist', async () => {
  const all = 10_000;
  const pageSize = 500;
  await visit('/nowhere', async (page) => {
    // The catalog of this test would take hours of footage, so the answers are made up here.
    await madeUp(page, ({ pageToken, arrivedAfter }) => {
      const from = arrivedAfter ? all : Number(pageToken || 0);
      const clips = Array.from({ length: Math.min(pageSize, all - from) }, (_, i) => madeUpClip(from + i));
      const next = from + clips.length;
      return { clips, nextPageToken: next < all ? String(next) : '', newest: 'n', total: all };
    });
    await page.getByRole('link', { name: 'All clips', exact: true }).click();
    await cards(page).first().waitFor();
    const scroller = page.locator('.scroller');
    let most = 0;
    await eventually(
      'the end of the list',
      async () => {
        await scroller.evaluate((s) => (s.scrollTop = s.scrollHeight));
        most = Math.max(most, await cards(page).count());
        return page.getByText('That is all of them.').isVisible();
      },
    );
    const last = (all - 1).toString(16).padStart(20, '0');
    await eventually('the oldest clip', async () => (await cardIds(page)).includes(last));
    assert.ok(most < 150, `${most} cards at once`);
  });
});

test('when the server goes away the page says so, keeps what it has, and goes on by itself', async () => {
  await visit(
    '/clips',
    async (page) => {
      await cards(page).first().waitFor();
      const kept = await cards(page).count();
      const api = '**/gleaner.v1.CatalogService/**';
      await page.route(api, (route) => route.abort('connectionrefused'));
      const banner = page.getByRole('alert').filter({ hasText: 'can’t be reached' });
      await banner.waitFor();
      await banner.getByRole('button', { name: 'Try now' }).waitFor();
      assert.equal(await cards(page).count(), kept);
      await page.getByRole('link', { name: 'Fleet' }).click();
      await page.getByRole('button', { name: 'Try again' }).waitFor();
      await page.unroute(api);
      await page.locator('[data-device]').first().waitFor();
      await banner.waitFor({ state: 'detached' });
    },
    { expected: /ERR_CONNECTION_REFUSED/ },
  );
});

test('another filter while the server is waited for leaves the list live', async () => {
  await visit(
    '/nowhere',
    async (page) => {
      let mode = 'refuse';
      const seen = [];
      await page.route('**/gleaner.v1.CatalogService/ListClips', (route) => {
        if (mode === 'refuse') return route.abort('connectionrefused');
        seen.push(route.request().postDataJSON());
        if (mode === 'answer') return route.continue();
      });
      await page.getByRole('link', { name: 'All clips', exact: true }).click();
      await page.getByRole('button', { name: 'Try again' }).waitFor();
      mode = 'wait';
      await eventually('the list is asked for once more', () => seen.length > 0);
      mode = 'answer';
      await page.getByLabel('Filter', { exact: true }).fill('after:7d');
      await page.keyboard.press('Enter');
      await cards(page).first().waitFor();
      await eventually('arrivals are asked for', () => seen.some(({ filter, arrivedAfter }) => filter === 'after:7d' && arrivedAfter));
    },
    { expected: /ERR_CONNECTION_REFUSED/ },
  );
});

test('an arriving clip is told as an event', async () => {
  await visit('/nowhere', async (page) => {
    const { id } = await page.evaluate(
      () =>
        new Promise((resolve) => {
          const source = new EventSource('/events?topics=clips');
          source.addEventListener('clips', ({ data }) => {
            source.close();
            resolve(JSON.parse(data));
          });
        }),
    );
    const { clips } = await ask('CatalogService/ListClips', { filter: `id:${id}` });
    assert.equal(clips.length, 1, 'it is in the catalog by then');
  });
});

test('the page listens to events, and where it can not it asks again and again', async () => {
  await visit('/clips', async (page) => {
    const events = page.waitForResponse(/\/events$/);
    await page.reload();
    const response = await events;
    assert.equal(response.status(), 200);
    assert.equal(response.headers()['content-type'], 'text/event-stream');
  });
  await visit(
    '/nowhere',
    async (page) => {
      let asked = 0;
      await page.route('**/events*', (route) => route.fulfill({ status: 503, body: '' }));
      await page.route('**/gleaner.v1.CatalogService/ListDevices', (route) =>
        route.fulfill({ json: { devices: [{ name: `cart-${++asked}`, ledger: {} }] } }),
      );
      await page.reload();
      await page.getByRole('link', { name: 'Fleet', exact: true }).click();
      await page.locator('[data-device="cart-3"]').waitFor();
    },
    { expected: /503/ },
  );
});

test('a session that ran out asks for the token and goes on where it was', async () => {
  await visit(
    '/clips?q=after:7d',
    async (page) => {
      await cards(page).first().waitFor();
      const api = '**/gleaner.v1.CatalogService/**';
      await page.route(api, (route) => route.fulfill({ status: 401, json: { code: 'unauthenticated', message: 'sign in' } }));
      await page.getByLabel('Token').waitFor();
      await page.getByRole('status').filter({ hasText: 'The server wants a token by now' }).waitFor();
      await page.route('**/login', (route) =>
        route.request().postDataJSON().token === 'right' ? route.fulfill({ status: 204 }) : route.fulfill({ status: 401, json: {} }),
      );
      await page.getByLabel('Token').fill('wrong');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('alert').filter({ hasText: 'opens nothing here: it may have been revoked' }).waitFor();
      await page.unroute(api);
      await page.getByLabel('Token').fill('right');
      await page.keyboard.press('Enter');
      await cards(page).first().waitFor();
      assert.equal(new URL(page.url()).searchParams.get('q'), 'after:7d');
    },
    { expected: /401/ },
  );
});

test('who was signed in and is thrown out is told why, and who signs out is not', async () => {
  await visit(
    '/clips',
    async (page) => {
      const json = (value) => (route) => route.fulfill(value);
      await page.route('**/gleaner.v1.AccessService/WhoAmI', json({ json: { name: 'ann', role: 'ROLE_VIEWER' } }));
      await page.route('**/logout', json({ status: 204 }));
      await page.reload();
      const rail = page.getByRole('navigation', { name: 'Rooms' });
      await rail.getByText('ann', { exact: true }).waitFor();
      await page.route('**/gleaner.v1.*/**', json({ status: 401, json: { code: 'unauthenticated', message: 'sign in' } }));
      await rail.getByRole('link', { name: 'Jobs' }).click();
      await page.getByRole('status').filter({ hasText: 'your token was revoked' }).waitFor();
      await page.unroute('**/gleaner.v1.*/**');
      await page.reload();
      await rail.getByRole('button', { name: 'Sign out' }).click();
      await page.getByLabel('Token').waitFor();
      assert.equal(await page.getByText('your token was revoked').count(), 0);
    },
    { expected: /401/ },
  );
});

test('a filter of frames among clips says where it works', async () => {
  await visit(
    '/clips?q=sharpness%3C0.2',
    async (page) => {
      await page.getByRole('heading', { name: 'This filter is for frames' }).waitFor();
      await page.getByText('it works in `gleaner frames list`').waitFor();
      assert.equal(await page.getByText('can’t be read').count(), 0);
    },
    { expected: /400/ },
  );
});

test('on a narrow screen the menu says who is signed in and signs out', async () => {
  await visit(
    '/jobs',
    async (page) => {
      await page.route('**/gleaner.v1.AccessService/WhoAmI', (route) => route.fulfill({ json: { name: 'a-person-of-a-long-name', role: 'ROLE_VIEWER' } }));
      await page.route('**/logout', (route) => route.fulfill({ status: 204 }));
      await page.reload();
      await page.getByRole('button', { name: 'Menu' }).click();
      const menu = page.getByRole('dialog', { name: 'Signed in' });
      await menu.getByText('a-person-of-a-long-name, viewer').waitFor();
      await shoot(page, 'phone-menu');
      await menu.getByRole('button', { name: 'Sign out' }).click();
      await page.getByLabel('Token').waitFor();
    },
    { size: [390, 740] },
  );
});

test('newer and older clips are one key away', async () => {
  const { clips } = await ask('CatalogService/ListClips', { pageSize: 3 });
  await visit(`/clips/${clips[1].id}`, async (page) => {
    await page.getByRole('slider', { name: 'Position' }).waitFor();
    await page.keyboard.press('l');
    await page.waitForURL(`**/clips/${clips[2].id}*`);
    await page.getByRole('slider', { name: 'Position' }).waitFor();
    await page.keyboard.press('h');
    await page.waitForURL(`**/clips/${clips[1].id}*`);
  });
});

test('the fleet shows three devices with their states, and a device its ledger', async () => {
  await visit('/fleet', async (page) => {
    const rows = page.locator('[data-device]');
    await rows.first().waitFor();
    assert.equal(await rows.count(), 3);
    for (const row of await rows.all()) {
      const word = await row.getAttribute('data-state');
      assert.match(word, /^(online|offline|degraded)$/);
      assert.ok((await row.innerText()).includes(word), 'the state is a word, not only a colour');
      assert.ok((await row.locator('.state svg').count()) >= 1, 'and an icon');
    }
    await shoot(page, 'fleet-light');
    await page.emulateMedia({ colorScheme: 'dark' });
    await shoot(page, 'fleet-dark');
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/fleet\/.+/);
    const drawer = page.getByRole('complementary', { name: /^Device / });
    await drawer.getByRole('heading', { name: 'Ledger' }).waitFor();
    await drawer.getByRole('heading', { name: 'Rules' }).waitFor();
    await shoot(page, 'device-dark');
    await page.keyboard.press('Escape');
    await page.waitForURL('**/fleet');
    await drawer.waitFor({ state: 'detached' });
    const device = await rows.first().getAttribute('data-device');
    await rows.first().locator('.state').click();
    await drawer.getByRole('button', { name: 'Close' }).click();
    await drawer.waitFor({ state: 'detached' });
    await eventually('the device has the focus', () =>
      page.evaluate((name) => document.activeElement?.closest('[data-device]')?.dataset.device === name, device),
    );
  });
});

test('the fleet says what it can not read of a filter', async () => {
  await visit(
    '/fleet?q=device:a%20colour:red',
    async (page) => {
      const alert = page.locator('#filter-note[role=alert]');
      await alert.waitFor();
      assert.match(await alert.innerText(), /column 10: .*colour/);
    },
    { expected: /400/ },
  );
});

test('clips without a site can be chosen', async () => {
  await visit('/nowhere', async (page) => {
    await page.route('**/gleaner.v1.CatalogService/GetSummary', (route) =>
      route.fulfill({ json: { clips: '2', siteFacet: [{ value: '', clips: '1' }, { value: 'road', clips: '1' }] } }),
    );
    await page.getByRole('link', { name: 'All clips', exact: true }).click();
    await page.getByRole('button', { name: 'Site' }).click();
    await page.getByRole('checkbox', { name: /^no site/ }).check();
    await page.waitForURL((at) => at.searchParams.get('q') === 'site:""');
    await page.getByRole('button', { name: 'Site: no site' }).waitFor();
    assert.equal(await page.locator('#filter-note[role=alert]').count(), 0, 'the server reads it');
  });
});

test('a device shows its clips in conflict', async () => {
  await visit('/nowhere', async (page) => {
    const asked = [];
    await page.route('**/gleaner.v1.CatalogService/ListDevices', (route) => {
      const { name = '' } = route.request().postDataJSON();
      asked.push(name);
      const conflicts = [{ key: { bootId: 'q6urq6urq6urq6urq6urqw==', sequence: '7' }, lastUnixNs: '1790000000000000000', times: '3' }];
      return route.fulfill({ json: { devices: [{ name: 'cart-1', ledger: {}, conflictCount: '1', ...(name ? { conflicts } : {}) }] } });
    });
    await page.getByRole('link', { name: 'Fleet', exact: true }).click();
    await page.locator('[data-device] a').first().click();
    const drawer = page.getByRole('complementary', { name: 'Device cart-1' });
    await drawer.getByRole('heading', { name: 'Conflicts' }).waitFor();
    await drawer.getByText('#7').waitFor();
    await drawer.getByText('3 times').waitFor();
    assert.ok(asked.includes('') && asked.includes('cart-1'));
  });
});

test('jobs are seen with what came of them, narrowed by a click, and cancelled and tried again', async () => {
  const path = '**/gleaner.v1.JobsService/';
  await visit('/jobs', async (page) => {
    // The server's own: a check of each clip that came.
    await page.locator('[data-job][data-state="done"]').first().waitFor();
    await page.locator('[data-job] .subject a').first().waitFor();
    await page.getByRole('link', { name: /^Failed/ }).click();
    await page.waitForURL('**/jobs?state=failed');
    await page.getByRole('heading', { name: 'No such job' }).waitFor();
    // And what isn't there every day.
    const asked = [];
    await page.route(`${path}ListJobs`, (route) => {
      const job = (number, state, more) => ({ number, kind: 'export', subject: 'dataset-1', state, attempts: 1, maxAttempts: 3, ...more });
      return route.fulfill({
        json: {
          jobs: [
            job('2', 'STATE_RUNNING', { progress: 0.25, doing: 'shard 10 of 40', startedUnixNs: '1' }),
            job('1', 'STATE_FAILED', { error: 'the disk is full', endedUnixNs: '1' }),
          ],
          counts: [{ kind: 'export', running: '1', failed: '1' }],
        },
      });
    });
    for (const method of ['CancelJob', 'RetryJob']) {
      await page.route(path + method, (route) => {
        asked.push(`${method} ${route.request().postDataJSON().number}`);
        return route.fulfill({ json: {} });
      });
    }
    await page.getByRole('link', { name: /^All/ }).click();
    const running = page.locator('[data-job="2"]');
    await running.getByText('25\u202f%, shard 10 of 40').waitFor();
    await running.getByRole('meter', { name: 'Progress of job 2' }).waitFor();
    await page.getByRole('button', { name: 'Cancel job 2' }).click();
    await page.locator('[data-job="1"]').getByText('the disk is full').waitFor();
    await page.getByRole('button', { name: 'Retry job 1' }).click();
    while (asked.length < 2) await page.waitForTimeout(20);
    assert.deepEqual(asked, ['CancelJob 2', 'RetryJob 1']);
    await shoot(page, 'jobs');
  });
});

test('the rail says who is signed in, and what a role may not do is not offered', async () => {
  await visit('/jobs', async (page) => {
    const rail = page.getByRole('navigation', { name: 'Rooms' });
    await rail.getByText('admin').waitFor();
    await page.route('**/gleaner.v1.AccessService/WhoAmI', (route) => route.fulfill({ json: { name: 'ann', role: 'ROLE_VIEWER' } }));
    await page.route('**/gleaner.v1.JobsService/ListJobs', (route) =>
      route.fulfill({ json: { jobs: [{ number: '1', kind: 'export', subject: 'dataset-1', state: 'STATE_FAILED', attempts: 3, maxAttempts: 3 }] } }),
    );
    await page.reload();
    await rail.getByText('viewer').waitFor();
    await rail.getByRole('button', { name: 'Sign out' }).waitFor();
    await page.locator('[data-job="1"]').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Retry job 1' }).count(), 0);
  });
});

test('every view is named for screen readers, readable, and fits 360 px', async () => {
  const [clip] = await checkedClips();
  const views = [
    ['clips', '/clips', '[data-clip]'],
    ['clip', `/clips/${clip.id}`, '[role=slider]'],
    ['fleet', '/fleet', '[data-device]'],
    ['device', `/fleet/${clip.device}`, 'aside h2'],
    ['jobs', '/jobs', '[data-job]'],
    ['nowhere', '/nowhere', 'main h1'],
  ];
  for (const [name, path, selector] of views) {
    for (const dark of [false, true]) {
      for (const size of [[1440, 900], [360, 740]]) {
        await visit(
          path,
          async (page) => {
            await page.locator(selector).first().waitFor();
            const where = `${path} ${dark ? 'dark' : 'light'} ${size[0]} px`;
            assert.deepEqual(await page.evaluate(accessibilityProblems), [], `${where}: names`);
            assert.deepEqual(await page.evaluate(contrastProblems), [], `${where}: contrast`);
            assert.deepEqual(await page.evaluate(tooWide), [], `${where}: width`);
            if (size[0] === 360) await shoot(page, `phone-${name}-${dark ? 'dark' : 'light'}`);
          },
          { size, dark },
        );
      }
    }
  }
});

test('the checks of names and contrast find what is wrong', async () => {
  await visit('/nowhere', async (page) => {
    await page.locator('main h1').waitFor();
    await page.evaluate(() => {
      const faint = document.createElement('p');
      faint.textContent = 'hardly there';
      faint.style.color = '#aaa';
      document.querySelector('main').append(document.createElement('button'), document.createElement('img'), faint);
    });
    const names = await page.evaluate(accessibilityProblems);
    assert.equal(names.length, 2, names.join('; '));
    assert.match((await page.evaluate(contrastProblems)).join(), /hardly there/);
  });
});
