// The one position in a clip that videos, timeline and numbers share, in clip time (see lib/media.ts).
//
// While it plays, the first video leads and the others are kept beside it; while it rests, the position leads and every
// video is sought to it.

import { frameAt, insideFrame, mediaStart, type TrackTimes } from '../lib/media';

/** Further apart than this two cameras look out of step. */
const DRIFT_S = 0.08;

interface Player {
  video: HTMLVideoElement;
  times: TrackTimes;
  /** The player's time of the first frame. */
  mediaStartS: number;
}

export class Playhead {
  /** Seconds of clip time. */
  t = $state(0);
  playing = $state(false);
  rate = $state(1);
  readonly endS: number;
  #players = $state.raw<Player[]>([]);
  #frame = 0;

  constructor(endS: number, startS: number) {
    this.endS = endS;
    this.t = this.#clamp(startS);
  }

  /** `video` has its first frame. Returns what takes it out again. */
  attach(video: HTMLVideoElement, times: TrackTimes): () => void {
    const { currentTime, duration, buffered } = video;
    const bufferedStart = buffered.length > 0 ? buffered.start(0) : 0;
    const player = { video, times, mediaStartS: mediaStart(times, { currentTime, bufferedStart, duration }) };
    this.#players = [...this.#players, player];
    video.playbackRate = this.rate;
    this.#seek(player);
    // Where the others play already it joins them; a browser that will not leaves it to be sought along.
    if (this.playing) video.play().catch(() => {});
    return () => {
      this.#players = this.#players.filter((other) => other !== player);
      if (this.#players.length === 0) this.pause();
    };
  }

  get playable(): boolean {
    return this.#players.length > 0;
  }

  toggle() {
    if (this.playing) this.pause();
    else void this.play();
  }

  async play() {
    const [leader] = this.#players;
    if (!leader) return;
    if (this.t >= this.endS - 0.05) this.seek(leader.times.startS);
    this.playing = true;
    try {
      await Promise.all(this.#players.map(({ video }) => video.play()));
    } catch {
      // Paused again before it began, or the browser will not: either way it is not playing.
      if (leader.video.paused) this.playing = false;
    }
    this.#follow();
  }

  pause() {
    this.playing = false;
    cancelAnimationFrame(this.#frame);
    for (const { video } of this.#players) video.pause();
  }

  setRate(rate: number) {
    this.rate = rate;
    for (const { video } of this.#players) video.playbackRate = rate;
  }

  seek(t: number) {
    this.t = this.#clamp(t);
    for (const player of this.#players) this.#seek(player);
  }

  /** By whole frames of the given track. */
  step(times: TrackTimes, frames: number) {
    this.pause();
    const here = frameAt(times.frameS, this.t - times.startS);
    const to = Math.max(0, Math.min(times.frameS.length - 1, here + frames));
    this.seek(times.startS + times.frameS[to]);
  }

  #seek({ video, times, mediaStartS }: Player) {
    const n = frameAt(times.frameS, this.t - times.startS);
    video.currentTime = mediaStartS + insideFrame(times.frameS, n);
  }

  #follow() {
    cancelAnimationFrame(this.#frame);
    const tick = () => {
      const [leader, ...others] = this.#players;
      if (!leader || !this.playing) return;
      this.t = this.#clamp(clipTime(leader));
      for (const other of others) {
        const off = clipTime(other) - this.t;
        const past = this.t > other.times.startS + other.times.frameS[other.times.frameS.length - 1];
        if (Math.abs(off) > DRIFT_S && !past && !other.video.seeking) this.#seek(other);
      }
      if (leader.video.ended) {
        this.t = this.endS;
        this.pause();
      } else {
        this.#frame = requestAnimationFrame(tick);
      }
    };
    this.#frame = requestAnimationFrame(tick);
  }

  #clamp(t: number): number {
    return Math.max(0, Math.min(this.endS, Number.isFinite(t) ? t : 0));
  }
}

function clipTime({ video, times, mediaStartS }: Player): number {
  return video.currentTime - mediaStartS + times.startS;
}
