import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Frame, Frame_Background, Frame_Reason } from '../../../cloud/web/src/gen/gleaner/v1/frames_pb.js';
import type { VideoTrack } from '../../../cloud/web/src/gen/gleaner/v1/clip_pb.js';
import { addressedTime, frameAddress, frameLabel, frameTime, isBackground, reasonWords } from '../../../cloud/web/src/clip/frames';
import { trackTimes } from '../../../cloud/web/src/lib/media';

const frameOf = (fields: object) => ({ reasons: [], background: Frame_Background.UNSPECIFIED, ...fields }) as unknown as Frame;

const track = {
  leadInTicks: 0,
  camera: 'front',
  timeBaseNumerator: 1,
  timeBaseDenominator: 1000,
  firstPts: 7000n,
  ptsDelta: [100, 100],
  firstFrameMonotonicNs: 5_500_000_000n,
} as unknown as VideoTrack;
const tracks = [{ track, times: trackTimes(track, 5_000_000_000n) }];

test('a frame is where its camera shows it, and nowhere for another camera', () => {
  assert.equal(frameTime(frameOf({ id: { camera: 'front', pts: 7100n } }), tracks), 0.6);
  assert.equal(frameTime(frameOf({ id: { camera: 'rear', pts: 7100n } }), tracks), undefined);
});

test('an address opens a clip at a frame of one of its cameras', () => {
  const address = frameAddress({ clip: '0f3a', camera: 'front', pts: 7100n });
  assert.equal(address, '/clips/0f3a?frame=front:7100');
  assert.equal(addressedTime(new URL(address, 'http://server.test').searchParams.get('frame') ?? '', tracks), 0.6);
  assert.equal(addressedTime('rear:7100', tracks), undefined);
  for (const text of ['', 'front', 'front:', 'front:1.5', 'front:99999999999999999999']) assert.equal(addressedTime(text, tracks), undefined, text);
});

test('reasons are words, and what is not known is left out', () => {
  assert.equal(reasonWords([Frame_Reason.FIRING, Frame_Reason.PEAK]), 'fired, peak');
  assert.equal(reasonWords([99 as Frame_Reason]), '');
});

test('a screen reader hears when, which camera, why, and that nothing is there', () => {
  const frame = frameOf({ id: { camera: 'front', pts: 7100n }, reasons: [Frame_Reason.KEYFRAME] });
  assert.equal(frameLabel(frame, 3.27, false), 'Frame at 03.27\u202fs: keyframe');
  frame.background = Frame_Background.YES;
  assert.equal(isBackground(frame), true);
  assert.equal(frameLabel(frame, 3.27, true), 'Frame at 03.27\u202fs, camera front: keyframe, nothing there');
});
