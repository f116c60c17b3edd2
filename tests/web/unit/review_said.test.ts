import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { AnnotationSchema, Label_Verdict, type LabelClass } from '../../../cloud/web/src/gen/gleaner/v1/annotation_pb.js';
import {
  addBox, classOfKey, fromAnnotation, hueOf, needsAnnotation, NOTHING, saysNothing, saysSame, toAnnotation, toggleClass, verdictOf, withBox,
  withoutBox, words,
} from '../../../cloud/web/src/review/said';

const classes = [{ id: 7, name: 'bottle' }, { id: 3, name: 'box' }] as LabelClass[];
const predicted = fromAnnotation(
  create(AnnotationSchema, {
    boxes: [
      { x: 0.1, y: 0.2, width: 0.3, height: 0.4, classId: 7, confidence: 0.91, attributes: [{ name: 'colour', value: 'red' }] },
      { x: 0.5, y: 0.5, width: 0.1, height: 0.1, classId: 3, confidence: 0.4 },
    ],
  }),
);

test('a person’s word has no confidence, and the attributes that say something', () => {
  const said = withBox(predicted, 0, { attributes: { colour: '', size: 'small' } });
  assert.deepEqual(toAnnotation(said).boxes, [
    { x: 0.1, y: 0.2, width: 0.3, height: 0.4, classId: 7, attributes: [{ name: 'size', value: 'small' }] },
    { x: 0.5, y: 0.5, width: 0.1, height: 0.1, classId: 3, attributes: [] },
  ]);
  assert.equal(said.boxes[0].confidence, 0);
  assert.equal(said.boxes[1].confidence, 0.4, 'the other one is the model’s still');
  assert.equal(predicted.boxes[0].confidence, 0.91, 'what was shown stays as it was');
});

test('the verdict is what became of the pre-label', () => {
  assert.equal(verdictOf(predicted, predicted), Label_Verdict.ACCEPTED);
  assert.equal(verdictOf(predicted, { ...predicted, boxes: [...predicted.boxes].reverse() }), Label_Verdict.ACCEPTED);
  assert.equal(verdictOf(predicted, withBox(predicted, 0, { classId: 3 })), Label_Verdict.FIXED);
  assert.equal(verdictOf(predicted, withoutBox(predicted, 1)), Label_Verdict.FIXED);
  assert.equal(verdictOf(predicted, NOTHING), Label_Verdict.REJECTED);
  assert.equal(verdictOf(undefined, NOTHING), Label_Verdict.CREATED);
  assert.equal(verdictOf(undefined, predicted), Label_Verdict.CREATED);
  assert.equal(verdictOf(NOTHING, NOTHING), Label_Verdict.ACCEPTED, 'a prediction of nothing is one');
  assert.deepEqual([1, 2, 3, 4].map((verdict) => needsAnnotation(verdict)), [false, true, false, true]);
});

test('boxes come and go, and each keeps its name', () => {
  const one = addBox(predicted, { x: 0, y: 0, width: 0.5, height: 0.5 }, 3);
  assert.equal(one.key, 2);
  const two = addBox(withoutBox(one.said, 0), { x: 0, y: 0, width: 1, height: 1 }, 7);
  assert.equal(two.key, 3);
  assert.deepEqual(two.said.boxes.map(({ key }) => key), [1, 2, 3]);
});

test('classes of a frame are there or not', () => {
  const said = toggleClass(toggleClass(NOTHING, 7), 3);
  assert.deepEqual(said.classes.map(({ classId }) => classId), [7, 3]);
  assert.ok(saysSame(toggleClass(said, 7), toggleClass(NOTHING, 3)));
  assert.ok(saysNothing(toggleClass(toggleClass(said, 7), 3)));
});

test('a number key is a class by its place, and a class has one colour', () => {
  assert.equal(classOfKey(classes, '1')?.name, 'bottle');
  assert.equal(classOfKey(classes, '2')?.name, 'box');
  for (const key of ['3', '0', 'a', 'F1', '12']) assert.equal(classOfKey(classes, key), undefined);
  assert.deepEqual([hueOf(classes, 7), hueOf(classes, 3), hueOf(classes, 99)], [0, 1, 0]);
});

test('what is said is said in words', () => {
  assert.equal(words(predicted, classes), 'bottle 0.91, box 0.40');
  assert.equal(words(NOTHING, classes), 'nothing');
  assert.equal(words({ ...NOTHING, text: '4006381333931' }, []), '“4006381333931”');
  assert.equal(words(addBox(NOTHING, { x: 0, y: 0, width: 1, height: 1 }, 50).said, classes), 'class 50');
});
