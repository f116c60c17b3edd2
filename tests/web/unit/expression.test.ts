import assert from 'node:assert/strict';
import { test } from 'node:test';
import { thresholds, valueAt } from '../../../cloud/web/src/lib/expression';

test('every comparison with a number is a line, once', () => {
  assert.deepEqual(thresholds('motion > 0.02 and within(2s, motion > 0.1) and motion>0.1', 'motion'), [
    { operator: '>', value: 0.02 },
    { operator: '>', value: 0.1 },
  ]);
});

test('a number on the left is turned round', () => {
  assert.deepEqual(thresholds('0.5 <= weight', 'weight'), [{ operator: '>=', value: 0.5 }]);
});

test('other signals draw nothing, a longer name of the same signal does', () => {
  assert.deepEqual(thresholds('motion > 0.02', 'promotion'), []);
  assert.deepEqual(thresholds('motion > 0.02', 'camera.front.motion'), [{ operator: '>', value: 0.02 }]);
  assert.deepEqual(thresholds('camera.front.motion > 1e-2', 'camera.side.motion'), []);
  assert.deepEqual(thresholds('night', 'night'), []);
});

test('a step function holds its value until the next point', () => {
  const us = [-5, 10, 20];
  const value = [1, 2, 3];
  assert.deepEqual([-6, -5, 9, 10, 25].map((at) => valueAt(us, value, at)), [NaN, 1, 1, 2, 3]);
});
