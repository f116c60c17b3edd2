import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chosenBy, parseCard } from '../../../cloud/web/src/datasets/dataset';

const card = JSON.stringify({
  name: 'first',
  frames: 3,
  boxes: 4,
  frames_without_a_label_in_them: 1,
  how: { filter: 'device:a', least_role: 'operator', leave_out_empty: true, seed: 7, most: 200, as_of_unix_ns: 1 },
  by_split: { train: 2, validation: 0, test: 1 },
  by_class: { mug: { frames: 1, boxes: 1, train: 1, validation: 0, test: 0 }, bottle: { frames: 2, boxes: 3, train: 1, validation: 0, test: 1 } },
  by_site: {},
  left_out: { 'its picture can’t be had': 2 },
  missing: ['no frame is in validation'],
});

test('a card is read, the largest lines first', () => {
  const read = parseCard(card);
  assert.ok(read);
  assert.equal(read.frames, 3);
  assert.deepEqual(read.bySplit, { train: 2, validation: 0, test: 1 });
  assert.deepEqual(read.groups.map((group) => group.title), ['Class']);
  assert.deepEqual(read.groups[0].lines.map((line) => line.name), ['bottle', 'mug']);
  assert.equal(read.groups[0].lines[0].boxes, 3);
  assert.deepEqual(read.leftOut, [{ why: 'its picture can’t be had', frames: 2 }]);
  assert.deepEqual(read.missing, ['no frame is in validation']);
  assert.equal(chosenBy(read.how), 'Labels of operators and above, without empty frames, at most 200 by seed 7.');
});

test('what is no card is none', () => {
  for (const text of ['', '[]', '{}', 'null', '{"frames":"3"}']) assert.equal(parseCard(text), null, text);
});
