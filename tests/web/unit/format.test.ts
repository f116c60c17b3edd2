import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as format from '../../../cloud/web/src/lib/format';
import { readableJson } from '../../../cloud/web/src/lib/json';

const plain = (text: string) => text.replaceAll('\u202f', ' ');

test('sizes have three significant digits and never 1000 of a unit', () => {
  const cases: [number | bigint, string][] = [
    [0, '0 B'],
    [999, '999 B'],
    [1000, '0.98 KiB'],
    [1024, '1 KiB'],
    [10_236, '10.0 KiB'],
    [40_475_034n, '38.6 MiB'],
    [268_435_456, '256 MiB'],
    [1_023_600, '0.98 MiB'],
  ];
  for (const [n, text] of cases) assert.equal(plain(format.bytes(n)), text);
});

test('lengths of time change unit where people do', () => {
  const cases: [number, string][] = [
    [6.04, '6.0 s'],
    [12.4, '12 s'],
    [125, '2 min 5 s'],
    [7200, '2 h'],
    [12000, '3 h 20 min'],
    [356400, '4 d 3 h'],
  ];
  for (const [s, text] of cases) assert.equal(plain(format.span(s)), text);
  assert.equal(format.age(0.2), 'now');
  assert.equal(plain(format.age(59.9)), '59 s');
  assert.equal(plain(format.age(3600)), '1 h');
});

test('positions are equally wide', () => {
  assert.equal(plain(format.position(3.267)), '03.27 s');
  assert.equal(plain(format.position(0)), '00.00 s');
  assert.equal(plain(format.position(-0.5)), '−00.50 s');
});

test('shares keep a digit where it says something', () => {
  assert.equal(plain(format.share(34n, 1000n)), '3.4 %');
  assert.equal(plain(format.share(0n, 10n)), '0 %');
  assert.equal(plain(format.share(31, 100)), '31 %');
  assert.equal(format.share(0, 0), '–');
});

test('one is told from many', () => {
  assert.equal(format.plural(1, 'clip'), '1 clip');
  assert.equal(format.plural(1n, 'cut'), '1 cut');
  assert.equal(format.plural(0n, 'cut'), '0 cuts');
  assert.equal(format.plural(1200, 'device'), '1,200 devices');
});

test('the day is told only where it is not today', () => {
  const now = new Date(2026, 10, 22, 18, 0, 0).getTime();
  assert.equal(format.clock(new Date(2026, 10, 22, 8, 5, 9).getTime(), now), '08:05:09');
  assert.equal(format.clock(new Date(2026, 10, 21, 8, 5, 9).getTime(), now), '21 Nov 08:05:09');
  assert.equal(format.clock(new Date(2025, 10, 21, 8, 5, 9).getTime(), now), '21 Nov 2025 08:05:09');
});

test('nanoseconds become milliseconds without losing the day', () => {
  assert.equal(format.unixMs(1_795_334_400_123_456_789n), 1_795_334_400_123);
  assert.equal(format.utc(1_795_334_400_123), '2026-11-22 08:00:00.123 UTC');
});

test('long arrays of a manifest stay readable', () => {
  const text = readableJson({ a: Array.from({ length: 20 }, (_, i) => i), b: [{ c: 'x' }], d: [], e: {} });
  assert.equal(
    text,
    `{
  "a": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, … 8 more],
  "b": [
    {
      "c": "x"
    }
  ],
  "d": [],
  "e": {}
}`,
  );
});
