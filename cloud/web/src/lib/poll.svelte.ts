// Asking again and again while the page is visible, less often while the server does not answer.

import { untrack } from 'svelte';
import { SvelteSet } from 'svelte/reactivity';
import { describe, isAbort, type Problem } from './api';

const MAX_WAIT_MS = 15_000;

/** The polls that fail just now; the page's head tells of the first. */
export const failing = new SvelteSet<Poll>();

export class Poll {
  problem = $state.raw<Problem | null>(null);
  failingSinceMs = $state(0);
  retryAtMs = $state(0);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #abort: AbortController | null = null;
  #failures = 0;
  #stopped = true;

  constructor(
    private readonly run: (signal: AbortSignal) => Promise<void>,
    private readonly everyMs: number,
  ) {}

  /** Runs at once and then on and on; returns what stops it, for an $effect. */
  start(): () => void {
    this.#stopped = false;
    const onVisible = () => {
      if (!document.hidden) this.now();
    };
    document.addEventListener('visibilitychange', onVisible);
    // What a run reads must not start the effect, and so the poll, anew.
    untrack(() => this.now());
    return () => {
      this.#stopped = true;
      document.removeEventListener('visibilitychange', onVisible);
      clearTimeout(this.#timer);
      this.#abort?.abort();
      failing.delete(this);
    };
  }

  now() {
    clearTimeout(this.#timer);
    this.#abort?.abort();
    void this.#tick();
  }

  async #tick() {
    if (this.#stopped || document.hidden) return;
    const abort = new AbortController();
    this.#abort = abort;
    try {
      await this.run(abort.signal);
      this.#failures = 0;
      this.problem = null;
      failing.delete(this);
    } catch (error) {
      if (abort.signal.aborted) return;
      // A run that something newer cut short has not failed.
      if (!isAbort(error)) {
        this.#failures++;
        if (!this.problem) this.failingSinceMs = Date.now();
        this.problem = describe(error);
        failing.add(this);
      }
    }
    if (this.#stopped || abort.signal.aborted) return;
    const wait = Math.min(this.everyMs * 2 ** Math.min(this.#failures, 8), Math.max(MAX_WAIT_MS, this.everyMs));
    this.retryAtMs = Date.now() + wait;
    this.#timer = setTimeout(() => void this.#tick(), wait);
  }
}
