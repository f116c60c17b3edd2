import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MediaCheck_Reason, MediaCheck_State } from '../../../cloud/web/src/gen/gleaner/v1/catalog_pb.js';
import { mediaState, reasonWord } from '../../../cloud/web/src/clips/media';
import { canPlay, frameAt, insideFrame, mediaStart, shape, trackTimes } from '../../../cloud/web/src/lib/media';

const track = {
  timeBaseNumerator: 1,
  timeBaseDenominator: 90000,
  firstPts: 388935000n, // 4,321.5 s
  ptsDelta: [3000, 3000, 6000],
  leadInTicks: 0,
  firstFrameMonotonicNs: 5_250_000_000n,
};

test('frame times follow the deltas and the clip time of the first frame', () => {
  const times = trackTimes(track, 5_000_000_000n);
  assert.equal(times.startS, 0.25);
  assert.equal(times.firstPtsS, 4321.5);
  assert.deepEqual(Array.from(times.frameS, (s) => +s.toFixed(6)), [0, 0.033333, 0.066667, 0.133333]);
});

test('the start is the first PTS in a browser that keeps it, 0 in one that does not', () => {
  const start = (firstPtsS: number, currentTime: number, bufferedStart: number, duration: number) =>
    mediaStart({ firstPtsS, leadInS: 0, frameS: Float64Array.of(0, 6) }, { currentTime, bufferedStart, duration });
  assert.equal(start(4321.5, 4321.500019, 0, 4327.5), 4321.5, 'Chromium');
  assert.equal(start(4321.5, 0, 4321.5, 4327.5), 4321.5, 'a gap before the first frame');
  assert.equal(start(4321.5, 0, 0, 4327.5), 4321.5, 'only the end tells');
  assert.equal(start(4321.5, 0, 0, 6), 0, 'counted from 0');
  assert.equal(start(4321.5, 17, 17, 23), 17, 'counted from elsewhere');
  assert.equal(start(0, 0, 0, 6), 0);
  assert.equal(start(0.2, 0.2, 0, 6.2), 0.2);
  assert.equal(start(0.2, 0, 0, 6), 0);
  assert.equal(start(4321.5, 0, 0, NaN), 0, 'no duration yet');
});

test('a lead-in is time of the file that no frame has', () => {
  const { leadInS } = trackTimes({ ...track, leadInTicks: 67500 }, 0n);
  assert.equal(leadInS, 0.75);
  const start = (firstPtsS: number, currentTime: number, duration: number) =>
    mediaStart({ firstPtsS, leadInS: 0.75, frameS: Float64Array.of(0, 6) }, { currentTime, bufferedStart: 0, duration });
  assert.equal(start(4321.5, 4320.75, 4327.5), 4321.5, 'Chromium begins with the file');
  assert.equal(start(4321.5, 0, 6.75), 0.75, 'counted from 0');
});

test('a picture that is turned has its width for its height', () => {
  assert.deepEqual(shape({ width: 1280, height: 720, rotationDegrees: 0 }), [1280, 720]);
  assert.deepEqual(shape({ width: 1280, height: 720, rotationDegrees: 90 }), [720, 1280]);
  assert.deepEqual(shape({ width: 1280, height: 720, rotationDegrees: 180 }), [1280, 720]);
});

test('a media check is named by its reason, and by its state where it has none', () => {
  const check = (state: MediaCheck_State, reason = MediaCheck_Reason.UNSPECIFIED) =>
    mediaState({ state, reason, problem: 'why' } as Parameters<typeof mediaState>[0]);
  assert.equal(check(MediaCheck_State.OK).tone, 'ok');
  assert.deepEqual([check(MediaCheck_State.OK, MediaCheck_Reason.DAMAGED_FRAMES)].map((s) => [s.tone, s.word, s.title])[0], [
    'warn',
    'damaged-frames',
    'why',
  ]);
  assert.equal(check(MediaCheck_State.FAILED, MediaCheck_Reason.WORKER_DIED).word, 'worker-died');
  assert.equal(check(MediaCheck_State.FAILED, MediaCheck_Reason.CANCELLED).word, 'cancelled');
  assert.equal(check(MediaCheck_State.FAILED).word, 'failed', 'of before there were reasons');
  assert.equal(check(MediaCheck_State.FAILED, 99 as MediaCheck_Reason).word, 'failed', 'of a newer server');
  assert.equal(reasonWord(MediaCheck_Reason.TOO_LARGE), 'too-large');
});

test('a time belongs to the frame that began last', () => {
  const { frameS } = trackTimes(track, 0n);
  assert.equal(frameAt(frameS, -1), 0);
  assert.equal(frameAt(frameS, 0), 0);
  assert.equal(frameAt(frameS, 0.0333), 0);
  assert.equal(frameAt(frameS, 0.033333), 1);
  assert.equal(frameAt(frameS, 0.1), 2);
  assert.equal(frameAt(frameS, 9), 3);
});

test('a seek into any frame lands on that frame', () => {
  const { frameS } = trackTimes(track, 0n);
  for (let n = 0; n < frameS.length; n++) assert.equal(frameAt(frameS, insideFrame(frameS, n)), n);
});

test('a codec is played only where the browser says so', () => {
  assert.equal(canPlay('h264', () => 'probably'), true);
  assert.equal(canPlay('hevc', () => ''), false);
  assert.equal(canPlay('mpeg4', () => 'probably'), false);
});
