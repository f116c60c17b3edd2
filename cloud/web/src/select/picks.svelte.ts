// One selection and its picks, in the order in which they were chosen, as many as somebody has looked at. It never changes, so it is
// kept for the way back from a clip.

import type { Selection, SelectionPick } from '../gen/gleaner/v1/curate_pb.js';
import { curate, describe, isAbort, type Problem } from '../lib/api';

const PAGE = 60;

export class PickList {
  selection = $state.raw<Selection | null>(null);
  picks = $state.raw<SelectionPick[]>([]);
  problem = $state.raw<Problem | null>(null);
  loading = $state(false);
  /** All are there. */
  done = $state(false);
  /** Kept for the way back. */
  scrollTop = 0;
  cursor = $state('');
  #token = '';

  constructor(readonly name: string) {}

  /** The next page, or the first one. Not while one is under way. */
  async more(): Promise<void> {
    if (this.loading || this.done) return;
    this.loading = true;
    this.problem = null;
    try {
      const answer = await curate.getSelection({ name: this.name, pageSize: PAGE, pageToken: this.#token });
      this.selection = answer.selection ?? null;
      this.picks = [...this.picks, ...answer.picks];
      this.#token = answer.nextPageToken;
      this.done = this.#token === '';
    } catch (error) {
      if (!isAbort(error)) this.problem = describe(error);
    } finally {
      this.loading = false;
    }
  }
}

let kept: PickList | null = null;

/** The one that was looked at last is still there. */
export function pickList(name: string): PickList {
  if (kept?.name !== name) kept = new PickList(name);
  return kept;
}
