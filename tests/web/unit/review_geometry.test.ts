import assert from 'node:assert/strict';
import { test } from 'node:test';
import { between, boxAt, FIT, panned, type Grip, type Rect, resized, zoomed } from '../../../cloud/web/src/review/geometry';

const near = (a: Rect, b: Rect) => {
  for (const key of ['x', 'y', 'width', 'height'] as const) {
    assert.ok(Math.abs(a[key] - b[key]) < 1e-9, `${key}: ${a[key]} where ${b[key]} was meant`);
  }
};
const rect = (x: number, y: number, width: number, height: number): Rect => ({ x, y, width, height });

test('a box between two points lies within the picture, whichever corner came first', () => {
  near(between(0.6, 0.7, 0.2, 0.3), rect(0.2, 0.3, 0.4, 0.4));
  near(between(-1, 0.5, 2, 9), rect(0, 0.5, 1, 0.5));
});

test('a box moves as far as the picture goes and keeps its size', () => {
  near(resized(rect(0.5, 0.5, 0.2, 0.1), 'move', 9, -9), rect(0.8, 0, 0.2, 0.1));
});

test('a side moves alone, a corner two sides, and over the other side a box turns over', () => {
  near(resized(rect(0.2, 0.2, 0.2, 0.2), 'e', 0.1, 0.5), rect(0.2, 0.2, 0.3, 0.2));
  near(resized(rect(0.2, 0.2, 0.2, 0.2), 'nw', -0.1, 0.1), rect(0.1, 0.3, 0.3, 0.1));
  near(resized(rect(0.2, 0.2, 0.2, 0.2), 'e', -0.3, 0), rect(0.1, 0.2, 0.1, 0.2));
});

test('whatever is dragged wherever, a box stays within the picture and has a size', () => {
  let seed = 7;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  const grips: Grip[] = ['nw', 'n', 'ne', 'e', 'se', 's', 'sw', 'w', 'move'];
  const least = { width: 0.01, height: 0.02 };
  for (let i = 0; i < 5_000; i++) {
    const from = resized(between(random(), random(), random(), random()), 'move', 0, 0);
    const to = resized(from, grips[i % grips.length], 4 * random() - 2, 4 * random() - 2, least);
    if (grips[i % grips.length] !== 'move') assert.ok(to.width >= least.width && to.height >= least.height);
    assert.ok(to.x >= 0 && to.y >= 0 && to.x + to.width <= 1 + 1e-9 && to.y + to.height <= 1 + 1e-9, JSON.stringify([from, to]));
  }
});

test('of boxes one within another the smallest is meant', () => {
  const boxes = [rect(0, 0, 1, 1), rect(0.4, 0.4, 0.1, 0.1), rect(0.3, 0.3, 0.4, 0.4)];
  assert.equal(boxAt(boxes, 0.45, 0.45), 1);
  assert.equal(boxAt(boxes, 0.65, 0.65), 2);
  assert.equal(boxAt(boxes, 0.9, 0.9), 0);
  assert.equal(boxAt([], 0.5, 0.5), -1);
});

test('zooming keeps the point under the pointer, and the picture never leaves its frame', () => {
  const frame = { width: 800, height: 600 };
  const zoom = zoomed(FIT, 2, 200, 300, frame);
  assert.equal((200 - zoom.x) / zoom.scale, 200);
  assert.equal((300 - zoom.y) / zoom.scale, 300);
  assert.deepEqual(zoomed(zoom, 0.01, 0, 0, frame), FIT, 'never smaller than it fits');
  assert.equal(zoomed(FIT, 1e9, 0, 0, frame).scale, 16);
  assert.deepEqual(panned(zoom, 1e9, 1e9, frame), { scale: 2, x: 0, y: 0 });
  assert.deepEqual(panned(zoom, -1e9, -1e9, frame), { scale: 2, x: -800, y: -600 });
  assert.deepEqual(panned(FIT, 50, 50, frame), FIT);
});
