// Asking for news while the page is visible: when the server says that there is some, or again and again where it can
// not say so; less often while it does not answer.

import { untrack } from 'svelte';
import { SvelteSet } from 'svelte/reactivity';
import { describe, isAbort, type Problem } from './api';
import { live, type Topic } from './live.svelte';

const MAX_WAIT_MS = 15_000;
/** Even where events arrive: no event tells that time passed, nor what another server did not tell this one. */
const LIVE_EVERY_MS = 60_000;

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
  #running = false;
  #ranAtMs = 0;
  /** There was news while it ran. */
  #again = false;

  /** Runs when there is news of one of `topics`, at most every `everyMs`; where events don't arrive, or tell of none of it, as often as that. */
  constructor(
    private readonly run: (signal: AbortSignal) => Promise<void>,
    private readonly everyMs: number,
    private readonly topics: Topic[],
  ) {}

  /** Runs at once and then on and on; returns what stops it, for an $effect. */
  start(): () => void {
    this.#stopped = false;
    const deaf = live.listen((topic) => {
      if (topic === null || this.topics.includes(topic)) this.#soon();
    });
    const onVisible = () => {
      if (!document.hidden) this.now();
    };
    document.addEventListener('visibilitychange', onVisible);
    // What a run reads must not start the effect, and so the poll, anew.
    untrack(() => this.now());
    return () => {
      this.#stopped = true;
      deaf();
      document.removeEventListener('visibilitychange', onVisible);
      clearTimeout(this.#timer);
      this.#abort?.abort();
      failing.delete(this);
    };
  }

  now() {
    clearTimeout(this.#timer);
    this.#abort?.abort();
    this.#running = false;
    void this.#tick();
  }

  /** As soon as `everyMs` have passed since the last time; a server that does not answer is left its wait. */
  #soon() {
    if (this.#running) this.#again = true;
    if (this.#running || this.#failures > 0) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#tick(), Math.max(0, this.#ranAtMs + this.everyMs - Date.now()));
  }

  async #tick() {
    if (this.#stopped || document.hidden) return;
    const abort = new AbortController();
    this.#abort = abort;
    this.#running = true;
    this.#again = false;
    this.#ranAtMs = Date.now();
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
    this.#running = false;
    const asking = Math.min(this.everyMs * 2 ** Math.min(this.#failures, 8), Math.max(MAX_WAIT_MS, this.everyMs));
    const told = live.up && this.topics.length > 0;
    const wait = this.#failures === 0 && told && !this.#again ? LIVE_EVERY_MS : asking;
    this.retryAtMs = Date.now() + wait;
    this.#timer = setTimeout(() => void this.#tick(), wait);
  }
}
