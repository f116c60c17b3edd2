// What the page says of a job.

import { Job_State, type Job, type JobCount } from '../gen/gleaner/v1/jobs_pb.js';
import { percent } from '../lib/format';
import type { IconName } from '../ui/Icon.svelte';

export type Tone = 'ok' | 'warn' | 'bad' | 'idle';

/** The states that a list can be narrowed to, by their words in the address bar. */
export const STATES: { word: string; label: string; state: Job_State }[] = [
  { word: 'running', label: 'Running', state: Job_State.RUNNING },
  { word: 'waiting', label: 'Waiting', state: Job_State.WAITING },
  { word: 'failed', label: 'Failed', state: Job_State.FAILED },
  { word: 'cancelled', label: 'Cancelled', state: Job_State.CANCELLED },
  { word: 'done', label: 'Done', state: Job_State.DONE },
];

export function stateOf(job: Job): { tone: Tone; icon: IconName; word: string } {
  if (job.cancelRequested) return { tone: 'warn', icon: 'clock', word: 'ending' };
  switch (job.state) {
    case Job_State.WAITING:
      return { tone: 'idle', icon: 'clock', word: job.attempts > 0 ? 'waiting again' : 'waiting' };
    case Job_State.RUNNING:
      return { tone: 'ok', icon: 'play', word: 'running' };
    case Job_State.DONE:
      return { tone: 'ok', icon: 'check', word: 'done' };
    case Job_State.FAILED:
      return { tone: 'bad', icon: 'failed', word: 'failed' };
    case Job_State.CANCELLED:
      return { tone: 'idle', icon: 'cross', word: 'cancelled' };
    default:
      return { tone: 'warn', icon: 'alert', word: 'unknown' };
  }
}

export function hasEnded(job: Job): boolean {
  return job.state !== Job_State.WAITING && job.state !== Job_State.RUNNING;
}

/** Why a job came to nothing, in its own words; '' while it goes on, and where it is done. */
export function refusalOf(job: Job): string {
  if (job.state === Job_State.CANCELLED) return 'It was cancelled.';
  return job.state === Job_State.FAILED ? job.error : '';
}

/** How far it is, or what came of it, in words; may be empty. */
export function outcomeOf(job: Job): string {
  if (job.state === Job_State.RUNNING) {
    return [job.progress > 0 ? percent(100 * job.progress) : '', job.doing].filter((part) => part !== '').join(', ');
  }
  return job.state === Job_State.DONE ? job.result : job.error;
}

/** When its state began. */
export function sinceOf(job: Job): bigint {
  return job.endedUnixNs || (job.state === Job_State.RUNNING ? job.startedUnixNs : job.createdUnixNs);
}

export function canCancel(job: Job): boolean {
  return !job.cancelRequested && (job.state === Job_State.WAITING || job.state === Job_State.RUNNING);
}

export function canRetry(job: Job): boolean {
  return job.state === Job_State.FAILED || job.state === Job_State.CANCELLED;
}

/** Where a job's subject is to be seen; '' where it has no page. */
export function pageOf(job: Job): string {
  if (job.kind === 'dataset-freeze') return `/datasets?name=${job.subject}`;
  if (job.kind === 'select') return `/review/selections?name=${job.subject}`;
  return job.kind === 'media-check' ? `/clips/${job.subject}` : '';
}

/** Over all kinds, or one; undefined for states that are not counted. */
export function countOf(counts: JobCount[], word: string, kind: string): number | undefined {
  let sum = 0;
  for (const one of counts) {
    if (kind && one.kind !== kind) continue;
    if (word === 'waiting') sum += Number(one.waiting);
    else if (word === 'running') sum += Number(one.running);
    else if (word === 'failed') sum += Number(one.failed);
    else return undefined;
  }
  return sum;
}
