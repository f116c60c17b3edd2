// A job that somebody here asked for, followed until it has ended.

import type { Job } from '../gen/gleaner/v1/jobs_pb.js';
import { jobs } from '../lib/api';
import { Poll } from '../lib/poll.svelte';
import { hasEnded } from './job';

export class Followed {
  job = $state.raw<Job | null>(null);
  #stop: (() => void) | null = null;

  /** Calls `ended` once, unless something else is followed before. */
  follow(job: Job, ended: (job: Job) => void) {
    this.end();
    this.job = job;
    const poll = new Poll(
      async (signal) => {
        const { job: now } = await jobs.getJob({ number: job.number }, { signal });
        if (!now) return;
        this.job = now;
        if (!hasEnded(now)) return;
        this.#stop?.();
        this.#stop = null;
        ended(now);
      },
      500,
      ['jobs'],
    );
    this.#stop = poll.start();
  }

  end() {
    this.#stop?.();
    this.#stop = null;
    this.job = null;
  }
}
