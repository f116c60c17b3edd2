import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { MeasuredSchema } from '../../../cloud/web/src/gen/gleaner/v1/label_report_pb.js';
import { kappaWords, mostOf, scaleOf, secondsWords, shareWords } from '../../../cloud/web/src/review/report';
import { countsOf, shareOf, sharesOf, sourceOf, whyEmpty } from '../../../cloud/web/src/review/sets';

test('a set says how its frames were chosen, and what the measurement does with them', () => {
  assert.equal(sourceOf({ filter: 'device:cart-1', likelyErrorsFrom: 0 }), 'device:cart-1');
  assert.equal(sourceOf({ filter: '', likelyErrorsFrom: 0 }), 'all frames');
  assert.equal(sourceOf({ filter: '', likelyErrorsFrom: 0.8 }), 'likely errors from 0.80');
  assert.equal(sharesOf({ controlShare: 0.1, knownWrongShare: 0, pairShare: 0.25 }), '10\u202f% without pre-label, 25\u202f% for two people');
  assert.equal(sharesOf({ controlShare: 0, knownWrongShare: 0, pairShare: 0 }), '');
});

test('what waits is what is open and nobody has, also where the two were counted at different moments', () => {
  assert.deepEqual(countsOf({ open: 10, taken: 4, done: 3, skipped: 1 }), { waiting: 6, taken: 4, done: 3, skipped: 1, all: 14 });
  assert.deepEqual(countsOf({ open: 1, taken: 4, done: 3, skipped: 0 }), { waiting: 0, taken: 1, done: 3, skipped: 0, all: 4 });
});

test('who finds nothing to do is told why', () => {
  const counts = { waiting: 0, taken: 0, done: 5, skipped: 0, all: 5 };
  assert.equal(whyEmpty(counts), 'All 5 are done.');
  assert.match(whyEmpty({ ...counts, taken: 1, all: 6 }), /1 task somebody has just now/);
  assert.match(whyEmpty({ ...counts, waiting: 2, all: 7 }), /2 tasks for somebody else/);
  assert.match(whyEmpty({ ...counts, skipped: 3, all: 8 }), /3 tasks put aside/);
  assert.equal(whyEmpty({ ...counts, done: 0, all: 0 }), 'No frame was found for it.');
});

test('a share is written in percent', () => {
  assert.equal(shareOf('12.5'), 0.125);
  assert.equal(shareOf(' '), 0);
  for (const wrong of ['-1', '101', 'ten', 'NaN']) assert.equal(shareOf(wrong), null);
});

test('what was measured stands with its interval, and nothing with a dash', () => {
  const measured = create(MeasuredSchema, { labels: 40n, mean: 4.25, low: 3.9, high: 12.61 });
  assert.equal(secondsWords(measured), '4.25 s (3.90 to 12.6)');
  assert.equal(shareWords(create(MeasuredSchema, { labels: 3n, mean: 0.941, low: 0.9, high: 1 })), '94 % (90 to 100)');
  assert.equal(kappaWords(create(MeasuredSchema, { labels: 3n, mean: 0.8, low: 0.7, high: 0.9 })), '0.80 (0.70 to 0.90)');
  assert.equal(secondsWords(create(MeasuredSchema, { labels: 1n, mean: 4.1, low: 4.1, high: 4.1 })), '4.10 s', 'one has no interval');
  for (const words of [secondsWords, shareWords, kappaWords]) {
    assert.equal(words(undefined), '–');
    assert.equal(words(create(MeasuredSchema)), '–');
  }
});

test('an axis goes from 0 to a round number that holds everything', () => {
  assert.deepEqual(scaleOf(4.3), { top: 5, ticks: [0, 1, 2, 3, 4, 5] });
  assert.deepEqual(scaleOf(0), { top: 1, ticks: [0, 0.5, 1] });
  for (const most of [0.013, 0.5, 1, 7.7, 10, 99, 12_345]) {
    const { top, ticks } = scaleOf(most);
    assert.ok(top >= most * (1 - 1e-9) && ticks.length >= 3 && ticks.length <= 6, `${most}: ${ticks}`);
  }
  const one = create(MeasuredSchema, { labels: 1n, high: 3 });
  assert.equal(mostOf([undefined, one, create(MeasuredSchema, { high: 9 })]), 3);
});
