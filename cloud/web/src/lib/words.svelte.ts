// The words of filters, as this server has them, and the values that there are of them; asked for once somebody writes a filter.

import type { FilterWord, FrameFacet } from '../gen/gleaner/v1/filter_pb.js';
import { filters } from './api';
import type { Known } from './completion';
import { plural } from './format';

export type FilterOf = 'clips' | 'frames';

/** Values come and go with clips. */
const FRESH_MS = 30_000;

/** The words for clips, or for frames, for which all work: one that is there twice means there what the one about frames says. */
export function wordsOf(all: FilterWord[], of: FilterOf): FilterWord[] {
  if (of === 'clips') return all.filter((word) => word.ofClips);
  const own = new Set(all.filter((word) => !word.ofClips).map(({ key }) => key));
  return all.filter((word) => !word.ofClips || !own.has(word.key));
}

class FilterWords {
  #all = $state.raw<FilterWord[]>([]);
  #loading: Promise<void> | null = null;
  #counted: { atMs: number; facets: Promise<FrameFacet[]> } | null = null;

  /** Empty until they are known. */
  of(kind: FilterOf): FilterWord[] {
    return wordsOf(this.#all, kind);
  }

  /** undefined until they are known. */
  keys(kind: FilterOf): ReadonlySet<string> | undefined {
    return this.#all.length ? new Set(this.of(kind).map(({ key }) => key)) : undefined;
  }

  /** Where it can't be had now, the next call tries again; who writes a filter can go on without. */
  load(): Promise<void> {
    this.#loading ??= filters.getFilterWords({}).then(
      ({ words }) => void (this.#all = words),
      () => void (this.#loading = null),
    );
    return this.#loading;
  }

  /** Those that frames have, most frames first; none of words by which nothing is counted. */
  async values(key: string): Promise<Known[]> {
    if (!this.#counted || Date.now() - this.#counted.atMs > FRESH_MS) {
      const facets = filters.getFrameFacets({}).then(
        (answer) => answer.facets,
        () => [],
      );
      this.#counted = { atMs: Date.now(), facets };
    }
    const facet = (await this.#counted.facets).find((one) => one.key === key);
    return (facet?.values ?? []).map(({ value, frames }) => ({ value, about: plural(frames, 'frame') }));
  }
}

export const words = new FilterWords();
