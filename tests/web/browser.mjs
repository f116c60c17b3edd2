// What tests of a view share: a browser, the server's calls, and a visit whose console stays clean.
//
// GLEANER_URL          the server
// GLEANER_SCREENSHOTS  a folder for screenshots; none are taken without it
// CHROMIUM             the browser, /usr/bin/chromium by default
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const { chromium } = createRequire(new URL('../../cloud/web/package.json', import.meta.url))('playwright-core');

export const url = process.env.GLEANER_URL?.replace(/\/$/, '');
const shots = process.env.GLEANER_SCREENSHOTS ?? '';
/** Every wait ends with what it waits for, however busy the machine; this ends only one whose event never comes. */
const PATIENCE_MS = 300_000;

let browser;
let context;

export async function launch() {
  assert.ok(url, 'GLEANER_URL must name a running server');
  if (shots) mkdirSync(shots, { recursive: true });
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: 'light', acceptDownloads: true });
  context.setDefaultTimeout(PATIENCE_MS);
}

export async function close() {
  await browser?.close();
}

/** A view of its own, whose console must stay clean of errors but for those that `expected` matches. */
export async function visit(path, look, { size, dark = false, expected = null } = {}) {
  const page = await context.newPage();
  const errors = [];
  page.on('console', (message) => {
    if (message.type() === 'error' && !expected?.test(message.text())) errors.push(message.text());
  });
  page.on('pageerror', (error) => errors.push(String(error)));
  try {
    await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' });
    if (size) await page.setViewportSize({ width: size[0], height: size[1] });
    await page.goto(url + path);
    await look(page);
    assert.deepEqual(errors, [], 'the console stays clean');
  } finally {
    await page.close();
  }
}

export async function shoot(page, name) {
  if (shots) await page.screenshot({ path: join(shots, `${name}.png`) });
}

/** `method`: "CatalogService/ListClips". */
export async function ask(method, request = {}) {
  const response = await context.request.post(`${url}/gleaner.v1.${method}`, { data: request });
  assert.equal(response.status(), 200, `${method} answers`);
  return response.json();
}

/** Waits until `probe` gives something true; the sentence says what was awaited. */
export async function eventually(sentence, probe) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await probe();
    if (found) return found;
    assert.ok(Date.now() < end, `never came: ${sentence}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
