// The server's events (GET /events): news of clips, devices, jobs and problems as they happen. An event only says that there
// is news; who shows such things asks the API again.

/** As cloud/events/README.md lists them. */
export type Topic = 'clips' | 'devices' | 'jobs' | 'problems';

const TOPICS: Topic[] = ['clips', 'devices', 'jobs', 'problems'];
/** Where the browser has given up on its own, as after an answer that is no stream. */
const FIRST_WAIT_MS = 2_000;
const MAX_WAIT_MS = 60_000;

type Listener = (topic: Topic | null) => void;

/** One connection for the whole page, and none while nobody looks at it: a browser has six for a server, over all its tabs. */
export class Live {
  /** Events arrive; where they don't, who wants news has to ask. */
  up = false;
  #source: EventSource | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #waitMs = FIRST_WAIT_MS;
  #listeners = new Set<Listener>();

  /** Listens while the page is visible; returns what stops it, for an $effect. */
  start(): () => void {
    const onVisible = () => (document.hidden ? this.#close() : this.#open());
    document.addEventListener('visibilitychange', onVisible);
    onVisible();
    return () => {
      document.removeEventListener('visibilitychange', onVisible);
      this.#close();
    };
  }

  /** Calls `listener` with the topic of each event, and with null where anything may have changed; returns what ends that. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #open() {
    if (this.#source) return;
    const source = new EventSource('/events');
    this.#source = source;
    source.onopen = () => {
      this.up = true;
      this.#waitMs = FIRST_WAIT_MS;
      this.#tell(null); // what happened before it was open
    };
    source.onerror = () => {
      const wasUp = this.up;
      this.up = false;
      if (source.readyState === EventSource.CLOSED) {
        this.#close();
        this.#timer = setTimeout(() => this.#open(), this.#waitMs);
        this.#waitMs = Math.min(2 * this.#waitMs, MAX_WAIT_MS);
      }
      if (wasUp) this.#tell(null); // from now on by asking
    };
    for (const topic of TOPICS) source.addEventListener(topic, () => this.#tell(topic));
    source.addEventListener('reset', () => this.#tell(null));
  }

  #close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
    this.up = false;
  }

  #tell(topic: Topic | null) {
    for (const listener of this.#listeners) listener(topic);
  }
}

export const live = new Live();
