// The clips of one filter, newest arrival first: pages going back, and arrivals coming in on top.

import type { ClipSummary } from '../gen/gleaner/v1/catalog_pb.js';
import { catalog, describe, isAbort, type Problem } from '../lib/api';
import { awaitsCheck } from './media';

const PAGE = 60;
const ARRIVALS = 200;
/** A list longer than this is cut by loading it anew when more arrives at its top: a page on a wall shows it for months. */
const MOST = 2_000;
/** Clips whose media check is awaited are asked for again, this many at a time: ids of a filter of at most 4 KiB. */
const RECHECK = 60;

export class ClipList {
  filter = $state('');
  clips = $state.raw<ClipSummary[]>([]);
  /** Arrived, but held back while the viewer is further down. */
  held = $state.raw<ClipSummary[]>([]);
  /** More arrived at once than is worth merging: the next release loads the list anew. */
  overflowed = $state(false);
  /** Just put on top; they move in. */
  fresh = $state.raw(new Set<string>());
  total = $state(0);
  status = $state<'loading' | 'ready' | 'error'>('loading');
  problem = $state.raw<Problem | null>(null);
  loadingMore = $state(false);
  moreProblem = $state.raw<Problem | null>(null);
  /** Kept for the way back from a clip. */
  scrollTop = 0;
  cursorId = $state('');

  #nextToken = $state('');
  #newest = '';
  #abort = new AbortController();
  #loadedFilter: string | null = null;

  get hasMore(): boolean {
    return this.#nextToken !== '';
  }

  /** Shows the clips of `filter`. What is shown stays, dimmed, until the answer is there. */
  async load(filter: string, anew = false) {
    if (!anew && filter === this.#loadedFilter && this.status !== 'error') return;
    this.status = 'loading';
    this.scrollTop = 0;
    if (filter !== this.#loadedFilter) this.cursorId = '';
    try {
      await this.#first(filter);
    } catch (error) {
      if (isAbort(error)) return;
      this.problem = describe(error);
      this.status = 'error';
    }
  }

  async #first(filter: string) {
    this.#abort.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.#loadedFilter = filter;
    this.filter = filter;
    this.loadingMore = false;
    const answer = await catalog.listClips({ filter, pageSize: PAGE }, { signal: abort.signal });
    this.clips = answer.clips;
    this.total = answer.total;
    this.#nextToken = answer.nextPageToken;
    this.#newest = answer.newest;
    this.held = [];
    this.overflowed = false;
    this.fresh = new Set();
    this.moreProblem = null;
    this.problem = null;
    this.status = 'ready';
  }

  async more() {
    if (this.loadingMore || !this.hasMore || this.status !== 'ready') return;
    this.loadingMore = true;
    this.moreProblem = null;
    const { signal } = this.#abort;
    try {
      const answer = await catalog.listClips(
        { filter: this.filter, pageSize: PAGE, pageToken: this.#nextToken },
        { signal },
      );
      const known = new Set(this.clips.map((clip) => clip.id));
      this.clips = [...this.clips, ...answer.clips.filter((clip) => !known.has(clip.id))];
      this.#nextToken = answer.nextPageToken;
    } catch (error) {
      if (!signal.aborted) this.moreProblem = describe(error);
    } finally {
      if (!signal.aborted) this.loadingMore = false;
    }
  }

  /** One look for arrivals and for media checks that were awaited; or another try where the list could not be had. */
  async refresh(signal: AbortSignal, atTop: boolean) {
    if (this.status === 'error' && this.problem?.kind === 'other') await this.#first(this.filter);
    if (this.status !== 'ready') return;
    const list = this.#abort.signal;
    const answer = await catalog.listClips(
      { filter: this.filter, pageSize: ARRIVALS, arrivedAfter: this.#newest },
      { signal },
    );
    if (list.aborted || this.status !== 'ready') return;
    this.#newest = answer.newest || this.#newest;
    if (answer.nextPageToken !== '') {
      this.overflowed = true;
    } else if (answer.clips.length > 0) {
      const known = new Set([...this.clips, ...this.held].map((clip) => clip.id));
      const arrived = answer.clips.filter((clip) => !known.has(clip.id));
      this.held = [...arrived, ...this.held];
    }
    if (atTop) this.release();
    await this.#recheck(signal, list);
  }

  /** Puts what was held back on top. */
  release() {
    if (this.overflowed || (this.held.length > 0 && this.clips.length + this.held.length > MOST)) {
      void this.load(this.filter, true);
      return;
    }
    if (this.held.length === 0) return;
    this.fresh = new Set(this.held.map((clip) => clip.id));
    this.clips = [...this.held, ...this.clips];
    this.total += this.held.length;
    this.held = [];
  }

  async #recheck(signal: AbortSignal, list: AbortSignal) {
    const waiting = this.clips.filter((clip) => awaitsCheck(clip.media));
    if (waiting.length === 0) return;
    const ids = waiting.slice(0, RECHECK).map((clip) => clip.id);
    const answer = await catalog.listClips({ filter: `id:${ids.join(',')}`, pageSize: RECHECK }, { signal });
    if (list.aborted) return;
    const now = new Map(answer.clips.map((clip) => [clip.id, clip]));
    this.clips = this.clips.map((clip) => {
      const newer = now.get(clip.id);
      return newer && newer.media?.state !== clip.media?.state ? newer : clip;
    });
  }
}

/** One list for the page: it outlives the view, so that the way back from a clip finds it as it was. */
export const clipList = new ClipList();
