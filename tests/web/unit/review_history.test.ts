import assert from 'node:assert/strict';
import { test } from 'node:test';
import { History } from '../../../cloud/web/src/review/history';

test('what was done is undone and done again, one step at a time', () => {
  const history = new History('a');
  assert.equal(history.undo(), false);
  history.step('ab');
  history.step('abc');
  assert.ok(history.undo());
  assert.equal(history.now, 'ab');
  assert.ok(history.redo());
  assert.equal(history.now, 'abc');
  assert.equal(history.redo(), false);
});

test('after something new, what was undone is gone', () => {
  const history = new History(1);
  history.step(2);
  history.undo();
  history.step(3);
  assert.equal(history.canRedo, false);
  history.undo();
  assert.equal(history.now, 1);
});

test('a drag is one step, and the next drag another', () => {
  const history = new History(0);
  for (const at of [1, 2, 3]) history.step(at, 'drag 1');
  for (const at of [4, 5]) history.step(at, 'drag 2');
  history.step(6, 'drag 3');
  history.undo();
  history.undo();
  assert.equal(history.now, 3);
  history.step(9, 'drag 1');
  history.undo();
  assert.equal(history.now, 3, 'a drag that went on after an undo is a step of its own');
  history.undo();
  assert.equal(history.now, 0);
});

test('it remembers a bounded number of steps', () => {
  const history = new History(0);
  for (let i = 1; i <= 2_000; i++) history.step(i);
  let undone = 0;
  while (history.undo()) undone++;
  assert.equal(undone, 500);
  assert.equal(history.now, 1_500);
});
