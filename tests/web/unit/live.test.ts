import './runes';
import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';

/** The browser's, driven by hand. */
class Source extends EventTarget {
  static readonly CLOSED = 2;
  static all: Source[] = [];
  readyState = 0;
  onopen = () => {};
  onerror = () => {};
  constructor(readonly url: string) {
    super();
    Source.all.push(this);
  }
  open() {
    this.readyState = 1;
    this.onopen();
  }
  /** Lost: the browser tries again by itself. */
  lose() {
    this.readyState = 0;
    this.onerror();
  }
  refuse() {
    this.readyState = 2;
    this.onerror();
  }
  close() {
    this.readyState = 2;
  }
  say(name: string) {
    this.dispatchEvent(new Event(name));
  }
}
const page = Object.assign(new EventTarget(), { hidden: false });
Object.assign(globalThis, { EventSource: Source, document: page });

const { live } = await import('../../../cloud/web/src/lib/live.svelte');
const { Poll } = await import('../../../cloud/web/src/lib/poll.svelte');

mock.timers.enable({ apis: ['setTimeout', 'Date'] });
/** Lets promises settle, and then time pass. */
const pass = async (ms: number) => {
  for (let i = 0; i < 10; i++) await Promise.resolve();
  mock.timers.tick(ms);
  for (let i = 0; i < 10; i++) await Promise.resolve();
};

let runs = 0;
let stop = () => {};
beforeEach(async () => {
  stop();
  Source.all = [];
  const ends = [live.start(), new Poll(async () => void runs++, 2000, ['clips']).start()];
  stop = () => ends.forEach((end) => end());
  await pass(0);
  runs = 0;
});

test('without events, the server is asked again and again', async () => {
  for (let i = 0; i < 5; i++) await pass(2000);
  assert.equal(runs, 5);
});

test('with events, it is asked when there is news, and else once a minute', async () => {
  Source.all[0].open();
  await pass(2000);
  assert.equal(runs, 1, 'once, for what happened before');
  for (let i = 0; i < 10; i++) await pass(2000);
  assert.equal(runs, 1);
  Source.all[0].say('devices');
  await pass(0);
  assert.equal(runs, 1, 'that is another topic');
  Source.all[0].say('clips');
  await pass(0);
  assert.equal(runs, 2, 'at once');
  for (let i = 0; i < 30; i++) await pass(2000);
  assert.equal(runs, 3);
});

test('news that come thick and fast are asked for no more often than without events', async () => {
  Source.all[0].open();
  await pass(2000);
  runs = 0;
  for (let i = 0; i < 95; i++) {
    Source.all[0].say('clips');
    await pass(100);
  }
  assert.ok(runs <= 6, `${runs} times in 10 s`);
  runs = 0;
  await pass(2000);
  assert.equal(runs, 1, 'and the last of them is not forgotten');
});

test('a reset asks anew, whatever the topic', async () => {
  Source.all[0].open();
  await pass(60_000);
  runs = 0;
  Source.all[0].say('reset');
  await pass(2000);
  assert.equal(runs, 1);
});

test('when events fail, asking goes on, and they are tried again', async () => {
  Source.all[0].open();
  await pass(2000);
  runs = 0;
  Source.all[0].lose();
  for (let i = 0; i < 3; i++) await pass(2000);
  assert.equal(runs, 3);
  Source.all[0].refuse();
  await pass(2000);
  assert.equal(Source.all.length, 2);
  Source.all[1].refuse();
  await pass(2000);
  assert.equal(Source.all.length, 2, 'less and less often');
  await pass(2000);
  assert.equal(Source.all.length, 3);
  assert.ok(runs >= 5, 'asking went on');
});

test('a page that nobody looks at holds no connection', async () => {
  Source.all[0].open();
  page.hidden = true;
  page.dispatchEvent(new Event('visibilitychange'));
  assert.equal(Source.all[0].readyState, Source.CLOSED);
  page.hidden = false;
  page.dispatchEvent(new Event('visibilitychange'));
  assert.equal(Source.all.length, 2);
});
