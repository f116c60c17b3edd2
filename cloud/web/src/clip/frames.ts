// Frames of a clip in words and in the clip's time.

import { type Frame, Frame_Background, Frame_Reason } from '../gen/gleaner/v1/frames_pb.js';
import type { Track } from '../lib/media';
import { position } from '../lib/format';

const WORDS: Partial<Record<Frame_Reason, string>> = {
  [Frame_Reason.FIRING]: 'fired',
  [Frame_Reason.PEAK]: 'peak',
  [Frame_Reason.KEYFRAME]: 'keyframe',
  [Frame_Reason.EVENLY]: 'evenly',
};

/** Why a frame was chosen: "fired, peak"; what this page doesn't know is left out. */
export function reasonWords(reasons: Frame_Reason[]): string {
  return reasons.map((reason) => WORDS[reason]).filter(Boolean).join(', ');
}

/** Clip time of a frame, where its camera's video shows it; undefined for a camera that the clip hasn't got. */
export function frameTime(frame: Frame, tracks: Track[]): number | undefined {
  const found = tracks.find(({ track }) => track.camera === frame.id?.camera);
  if (!found || !frame.id) return undefined;
  const { track, times } = found;
  return times.startS + (Number(frame.id.pts - track.firstPts) * track.timeBaseNumerator) / track.timeBaseDenominator;
}

export function isBackground(frame: Frame): boolean {
  return frame.background === Frame_Background.YES;
}

/** What a screen reader says of a frame that is shown at `seconds`. */
export function frameLabel(frame: Frame, seconds: number, many: boolean): string {
  const camera = many ? `, camera ${frame.id?.camera}` : '';
  const empty = isBackground(frame) ? ', nothing there' : '';
  return `Frame at ${position(seconds)}${camera}: ${reasonWords(frame.reasons) || 'chosen'}${empty}`;
}
