import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MOST_IDLE_MS, MOST_MS, Stopwatch } from '../../../cloud/web/src/review/stopwatch';

function rig() {
  const clock = { ms: 1_000 };
  return { clock, watch: new Stopwatch(() => clock.ms) };
}

test('only the time between run and pause counts', () => {
  const { clock, watch } = rig();
  clock.ms += 5_000;
  assert.equal(watch.ms(), 0, 'the picture is not there yet');
  watch.run();
  clock.ms += 3_000;
  assert.equal(watch.ms(), 3_000);
  watch.pause();
  clock.ms += 60_000;
  assert.equal(watch.ms(), 3_000, 'the page has not got the focus');
  watch.run();
  clock.ms += 500;
  watch.pause();
  assert.equal(watch.ms(), 3_500);
});

test('who does nothing for long is away, and what counts of it is bounded', () => {
  const { clock, watch } = rig();
  watch.run();
  clock.ms += 3_600_000;
  assert.equal(watch.ms(), MOST_IDLE_MS);
  watch.alive();
  clock.ms += 1_000;
  assert.equal(watch.ms(), MOST_IDLE_MS + 1_000);
});

test('a sign of life while it is paused starts nothing', () => {
  const { clock, watch } = rig();
  watch.alive();
  clock.ms += 1_000;
  assert.equal(watch.ms(), 0);
});

test('signs of life add up to the time that passed', () => {
  const { clock, watch } = rig();
  watch.run();
  for (let i = 0; i < 100; i++) {
    clock.ms += 1_000;
    watch.alive();
  }
  watch.run();
  assert.equal(watch.ms(), 100_000);
});

test('a clock that goes back costs nothing, and a day is as much as the server takes', () => {
  const { clock, watch } = rig();
  watch.run();
  clock.ms -= 500;
  assert.equal(watch.ms(), 0);
  for (let i = 0; i < 10_000; i++) {
    clock.ms += 29_000;
    watch.alive();
  }
  assert.equal(watch.ms(), MOST_MS);
});
