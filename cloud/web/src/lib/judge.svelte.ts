// What the server says of a filter that somebody writes: what is wrong with it, in its own words, or how much it finds.

import { catalog, describe, filters } from './api';
import type { FilterOf } from './words.svelte';

export class Judge {
  /** Of this text … */
  text = $state<string | null>(null);
  /** … what is wrong with it; '' where nothing is, or nobody could say. */
  mistake = $state('');
  /** … and how many frames it finds, of more than 10,000 so many; null where they weren't counted. */
  frames = $state<number | null>(null);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #abort: AbortController | null = null;

  constructor(private readonly of: FilterOf) {}

  /** After a pause, unless by then there is a reason to wait on. */
  later(text: string, waitMs: number, unless: () => boolean = () => false) {
    this.stop();
    this.#timer = setTimeout(() => {
      if (!unless()) void this.ask(text);
    }, waitMs);
  }

  async ask(text: string) {
    this.stop();
    const abort = new AbortController();
    this.#abort = abort;
    const filter = text.trim();
    const say = (mistake: string, frames: number | null) => {
      if (abort.signal.aborted) return;
      [this.text, this.mistake, this.frames] = [filter, mistake, frames];
    };
    try {
      if (this.of === 'clips') {
        await catalog.listClips({ filter, pageSize: 1 }, { signal: abort.signal });
        say('', null);
      } else {
        const { frames } = await filters.getFrameFacets({ filter, keys: ['background'] }, { signal: abort.signal });
        say('', frames);
      }
    } catch (error) {
      // Names that there aren't are a mistake as well: "there is no selection monday".
      const { kind, detail } = describe(error);
      say(kind === 'invalid' || kind === 'missing' ? detail : '', null);
    }
  }

  /** What it says of that text, if anything yet. */
  mistakeIn(text: string): string {
    return this.text === text.trim() ? this.mistake : '';
  }

  stop() {
    clearTimeout(this.#timer);
    this.#abort?.abort();
  }
}
