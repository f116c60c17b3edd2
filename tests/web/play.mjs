// Plays videos in a real Chromium, from the first frame to the last, and says what it saw.
//
//   node tests/web/play.mjs [--rate N] [--pixels X,Y;X,Y…] FILE.mp4…
//
// --rate: N times as fast, 16 at the most. Every picture is decoded all the same.
//
// Prints a JSON array, an object a file in the order given:
//   error      what the browser said when it gave up, else ""
//   ended      it came to the end of the file
//   frames     pictures that were decoded on the way
//   firstS     presentation time of the first picture that was shown, in seconds of the file
//   lastS      and of the one at the end, after seeking to and fro: a seek that fails is an error
//   width, height   of the picture as it is shown, upright
//   pixels     with --pixels: [r, g, b] of the first picture at each place, in shares of its width and height
//
// CHROMIUM is the browser, /usr/bin/chromium by default. Nothing here waits by the clock: a file that plays
// ends, one that doesn't has an error, and the caller has a time limit.
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const { chromium } = createRequire(new URL('../../cloud/web/package.json', import.meta.url))('playwright-core');

/** Serves the files as /0, /1, …, with ranges, as the real server does. */
function serve(files) {
  const server = createServer((request, response) => {
    if (request.url === '/') {
      response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>play</title><body></body>');
      return;
    }
    const file = files[Number(request.url.slice(1))];
    if (file === undefined) {
      response.writeHead(404).end();
      return;
    }
    const { size } = statSync(file);
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const from = range ? Number(range[1]) : 0;
    const to = range?.[2] ? Math.min(Number(range[2]), size - 1) : size - 1;
    const headers = { 'Content-Type': 'video/mp4', 'Accept-Ranges': 'bytes', 'Content-Length': to - from + 1 };
    if (range) headers['Content-Range'] = `bytes ${from}-${to}/${size}`;
    response.writeHead(range ? 206 : 200, headers);
    const body = createReadStream(file, { start: from, end: to });
    response.on('close', () => body.destroy());
    body.pipe(response);
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

/** Runs in the page. */
async function play({ url, pixels, rate }) {
  const video = document.createElement('video');
  const seen = { error: '', ended: false, frames: 0, firstS: null, lastS: null, width: 0, height: 0, pixels: [] };
  video.muted = true;
  video.preload = 'auto';
  document.body.append(video);
  const failed = new Promise((resolve) => {
    video.onerror = () => resolve(`${video.error.code}: ${video.error.message}`);
  });
  const happens = (event) => new Promise((resolve) => (video[`on${event}`] = () => resolve('')));
  video.requestVideoFrameCallback((_, { mediaTime }) => (seen.firstS = mediaTime));
  const loaded = happens('loadeddata');
  video.src = url;
  seen.error = await Promise.race([failed, loaded]);
  if (!seen.error) {
    // The callback comes with the next picture that the page paints; the first one must not be missed.
    await new Promise((resolve) => {
      const check = () => (seen.firstS === null ? requestAnimationFrame(check) : resolve());
      check();
    });
    seen.width = video.videoWidth;
    seen.height = video.videoHeight;
    if (pixels.length > 0) {
      const canvas = document.createElement('canvas');
      canvas.width = video.videoWidth;
      canvas.height = video.videoHeight;
      const context = canvas.getContext('2d', { colorSpace: 'srgb', willReadFrequently: true });
      context.drawImage(video, 0, 0);
      for (const [x, y] of pixels) {
        const at = context.getImageData(Math.floor(x * canvas.width), Math.floor(y * canvas.height), 1, 1);
        seen.pixels.push([...at.data].slice(0, 3));
      }
    }
    const ended = happens('ended');
    video.playbackRate = rate;
    video.play().catch(() => {});
    seen.error = await Promise.race([failed, ended]);
    seen.ended = video.ended && !seen.error;
    seen.frames = video.getVideoPlaybackQuality().totalVideoFrames;
    // Back into the middle, and to the last picture, which a browser under load may not have painted in passing.
    const startS = seen.firstS;
    for (const share of [0.5, 0.8, 0.25, 1]) {
      if (seen.error) break;
      const sought = happens('seeked');
      const painted = new Promise((resolve) => video.requestVideoFrameCallback((_, { mediaTime }) => resolve(mediaTime)));
      video.currentTime = startS + (video.duration - startS) * share - (share === 1 ? 0.001 : 0);
      seen.error = await Promise.race([failed, sought]);
      if (!seen.error) seen.lastS = await Promise.race([failed, painted]);
      if (typeof seen.lastS === 'string') [seen.error, seen.lastS] = [seen.lastS, null];
    }
  }
  video.remove();
  return seen;
}

/** What `files` do in a browser, in their order. `pixels`: [x, y] in shares of the picture; `rate`: how many times as fast. */
export async function playAll(files, pixels = [], rate = 1) {
  const server = await serve(files);
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--force-color-profile=srgb',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  try {
    const page = await browser.newPage();
    const base = `http://127.0.0.1:${server.address().port}`;
    await page.goto(base);
    const all = [];
    for (const n of files.keys()) all.push(await page.evaluate(play, { url: `${base}/${n}`, pixels, rate }));
    return all;
  } finally {
    await browser.close();
    server.close();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const files = process.argv.slice(2);
  let pixels = [];
  let rate = 1;
  if (files[0] === '--rate') rate = Number(files.splice(0, 2)[1]);
  if (files[0] === '--pixels') {
    pixels = files.splice(0, 2)[1].split(';').map((place) => place.split(',').map(Number));
  }
  console.log(JSON.stringify(await playAll(files, pixels, rate)));
}
