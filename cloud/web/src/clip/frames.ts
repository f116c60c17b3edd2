// Frames of a clip in words and in the clip's time.

import { type Frame, Frame_Background, type FrameId, Frame_Reason } from '../gen/gleaner/v1/frames_pb.js';
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

/** The address of its clip, opened at that frame. */
export function frameAddress(id: Pick<FrameId, 'clip' | 'camera' | 'pts'>): string {
  return `/clips/${id.clip}?frame=${id.camera}:${id.pts}`;
}

/** Clip time of the frame that an address names; undefined where that is none of these cameras'. */
export function addressedTime(named: string, tracks: Track[]): number | undefined {
  const [, camera, pts] = /^([a-z0-9-]{1,63}):(-?\d{1,18})$/.exec(named) ?? [];
  return camera === undefined ? undefined : timeOf({ camera, pts: BigInt(pts) }, tracks);
}

/** Clip time of a frame, where its camera's video shows it; undefined for a camera that the clip hasn't got. */
export function frameTime(frame: Frame, tracks: Track[]): number | undefined {
  return frame.id && timeOf(frame.id, tracks);
}

function timeOf(id: Pick<FrameId, 'camera' | 'pts'>, tracks: Track[]): number | undefined {
  const found = tracks.find(({ track }) => track.camera === id.camera);
  if (!found) return undefined;
  const { track, times } = found;
  return times.startS + (Number(id.pts - track.firstPts) * track.timeBaseNumerator) / track.timeBaseDenominator;
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
