// What tests of a view share: a browser, the server's calls, and a visit whose console stays clean.
//
// GLEANER_URL          the server
// GLEANER_TOKEN        where the server wants one
// GLEANER_SCREENSHOTS  a folder for screenshots; none are taken without it
// CHROMIUM             the browser, /usr/bin/chromium by default
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const { chromium } = createRequire(new URL('../../cloud/web/package.json', import.meta.url))('playwright-core');

export const url = process.env.GLEANER_URL?.replace(/\/$/, '');
const token = process.env.GLEANER_TOKEN ?? '';
/** Where screenshots go; '' for nowhere. */
export const shots = process.env.GLEANER_SCREENSHOTS ?? '';
/** Every wait ends with what it waits for, however busy the machine; this ends only one whose event never comes. */
const PATIENCE_MS = 600_000;

let browser;
/** Of whoever looks, where a test doesn't say who; a promise of it. */
let own;

export async function launch() {
  assert.ok(url, 'GLEANER_URL must name a running server');
  if (shots) mkdirSync(shots, { recursive: true });
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

export async function close() {
  await browser?.close();
}

/** A browser that knows nothing of others', signed in where there is a token. */
export async function newContext(as = '') {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: 'light' });
  context.setDefaultTimeout(PATIENCE_MS);
  if (as) {
    const page = await context.newPage();
    await page.goto(url);
    await page.getByLabel('Token').fill(as);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Clips' }).waitFor();
    await page.close();
  }
  return context;
}

/** A view of its own, whose console must stay clean of errors but for those that `expected` matches. */
export async function visit(path, look, { size, dark = false, expected = null, context } = {}) {
  const page = await (context ?? (await (own ??= newContext(token)))).newPage();
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

/** Calls the server as whoever has the token. `method`: "CatalogService/ListClips". */
export async function ask(method, request = {}, as = token) {
  const response = await fetch(`${url}/gleaner.v1.${method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(as ? { authorization: `Bearer ${as}` } : {}) },
    body: JSON.stringify(request),
  });
  const text = await response.text();
  assert.equal(response.status, 200, `${method}: ${text}`);
  return JSON.parse(text);
}

/** Waits until `probe` gives something true; the sentence says what was awaited. */
export async function eventually(sentence, probe, everyMs = 100) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await probe();
    if (found) return found;
    assert.ok(Date.now() < end, `never came: ${sentence}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
