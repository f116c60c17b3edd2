import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canPlay, frameAt, insideFrame, mediaStart, trackTimes } from '../../../cloud/web/src/lib/media';

const track = {
  timeBaseNumerator: 1,
  timeBaseDenominator: 90000,
  firstPts: 388935000n, // 4,321.5 s
  ptsDelta: [3000, 3000, 6000],
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
    mediaStart({ firstPtsS, frameS: Float64Array.of(0, 6) }, { currentTime, bufferedStart, duration });
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
