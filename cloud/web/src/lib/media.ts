// Where a frame is: in the clip's time, in the file's time, and as a number.
//
// Clip time runs from 0 at delivered.start_monotonic_ns, in seconds; everything on the page is placed by it.
// A video file's own time is the source's: its first PTS is not 0 in general. Browsers differ in what they make of
// that (Chromium shows currentTime in the file's time, others from 0), so the start is measured, not assumed.

import type { VideoTrack } from '../gen/gleaner/v1/clip_pb.js';

type Timing = Pick<
  VideoTrack,
  'timeBaseNumerator' | 'timeBaseDenominator' | 'firstPts' | 'ptsDelta' | 'firstFrameMonotonicNs' | 'leadInTicks'
>;

export interface TrackTimes {
  /** Clip time of the first frame. */
  startS: number;
  /** File time of the first frame. */
  firstPtsS: number;
  /** For so long before the first frame the file has packets that show nothing yet: the player begins there. */
  leadInS: number;
  /** Of each frame, from the first one, ascending. */
  frameS: Float64Array;
}

/** One camera's video in a clip. */
export interface Track {
  track: VideoTrack;
  times: TrackTimes;
}

export function trackTimes(track: Timing, deliveredStartNs: bigint): TrackTimes {
  const tickS = track.timeBaseNumerator / track.timeBaseDenominator;
  const frameS = new Float64Array(track.ptsDelta.length + 1);
  let ticks = 0;
  track.ptsDelta.forEach((delta, i) => {
    ticks += delta;
    frameS[i + 1] = ticks * tickS;
  });
  return {
    startS: Number(track.firstFrameMonotonicNs - deliveredStartNs) / 1e9,
    firstPtsS: Number(track.firstPts) * tickS,
    leadInS: track.leadInTicks * tickS,
    frameS,
  };
}

/** What a player says about a file of which it has the first frame and has not yet been moved. */
export interface Seen {
  currentTime: number;
  /** 0 where nothing is buffered. Chromium says 0 even where the first PTS is not. */
  bufferedStart: number;
  duration: number;
}

/**
 * The player's time of the first frame: the file's own first PTS, or 0 in a player that counts from there, or somewhere
 * else altogether.
 */
export function mediaStart(times: Pick<TrackTimes, 'firstPtsS' | 'leadInS' | 'frameS'>, seen: Seen): number {
  return fileStart(times.firstPtsS - times.leadInS, times.leadInS + times.frameS[times.frameS.length - 1], seen) + times.leadInS;
}

/** The player's time of the file's first packet. */
function fileStart(firstPtsS: number, lengthS: number, seen: Seen): number {
  const begins = Math.max(seen.currentTime, seen.bufferedStart);
  const near = (a: number, b: number) => Math.abs(a - b) <= 0.5;
  if (near(begins, firstPtsS) && Math.abs(begins - firstPtsS) <= begins) return firstPtsS;
  if (!near(begins, 0)) return begins;
  // It says 0; the end tells whether it means it.
  const endsInFileTime = firstPtsS > 0.5 && Math.abs(seen.duration - firstPtsS - lengthS) < Math.abs(seen.duration - lengthS);
  return endsInFileTime ? firstPtsS : 0;
}

/** The number of the frame that is on screen at `seconds` after the first frame; the first frame before it. */
export function frameAt(frameS: Float64Array, seconds: number): number {
  // A hair of tolerance: players round to microseconds.
  const at = seconds + 2e-6;
  let low = 0;
  let high = frameS.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (frameS[middle] <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** A time well inside frame `n`, so that a seek to it can't land on its neighbour by rounding. */
export function insideFrame(frameS: Float64Array, n: number): number {
  const next = n + 1 < frameS.length ? frameS[n + 1] : frameS[n] + 0.004;
  return frameS[n] + Math.min((next - frameS[n]) / 2, 0.002);
}

/** What to ask canPlayType for; undefined for what no browser plays. */
const MIME: Record<string, string> = {
  h264: 'video/mp4; codecs="avc1.640028"',
  hevc: 'video/mp4; codecs="hvc1.1.6.L120.B0"',
  av1: 'video/mp4; codecs="av01.0.08M.08"',
  vp9: 'video/mp4; codecs="vp09.00.41.08"',
};

/** Width by height of a picture as it is shown. */
export function shape(track: Pick<VideoTrack, 'width' | 'height' | 'rotationDegrees'>): [number, number] {
  return track.rotationDegrees % 180 === 0 ? [track.width, track.height] : [track.height, track.width];
}

export function canPlay(codec: string, ask: (mime: string) => string): boolean {
  const mime = MIME[codec];
  return mime !== undefined && ask(mime) !== '';
}
