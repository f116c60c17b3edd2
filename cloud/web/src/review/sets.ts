// A set of tasks in words and numbers.

import type { TaskSet } from '../gen/gleaner/v1/label_task_pb.js';
import { count, percent, plural } from '../lib/format';

/** How its frames were chosen. */
export function sourceOf(set: Pick<TaskSet, 'filter' | 'likelyErrorsFrom'>): string {
  if (set.likelyErrorsFrom > 0) return `likely errors from ${set.likelyErrorsFrom.toFixed(2)}`;
  return set.filter || 'all frames';
}

/** What the measurement does with it: "10 % without pre-label, 5 % for two people"; '' for nothing. */
export function sharesOf(set: Pick<TaskSet, 'controlShare' | 'knownWrongShare' | 'pairShare'>): string {
  const parts: [number, string][] = [
    [set.controlShare, 'without pre-label'],
    [set.knownWrongShare, 'known to be wrong'],
    [set.pairShare, 'for two people'],
  ];
  return parts.filter(([share]) => share > 0).map(([share, what]) => `${percent(100 * share)} ${what}`).join(', ');
}

export interface Counts {
  /** Nobody has them. */
  waiting: number;
  taken: number;
  done: number;
  skipped: number;
  all: number;
}

export function countsOf(set: Pick<TaskSet, 'open' | 'taken' | 'done' | 'skipped'>): Counts {
  return {
    waiting: Math.max(0, set.open - set.taken),
    taken: Math.min(set.taken, set.open),
    done: set.done,
    skipped: set.skipped,
    all: set.open + set.done + set.skipped,
  };
}

/** What the page says where a person finds nothing to do in a set. */
export function whyEmpty(counts: Counts): string {
  const others = [
    counts.taken > 0 && `${plural(counts.taken, 'task')} somebody has just now`,
    counts.waiting > 0 && `${plural(counts.waiting, 'task')} for somebody else: a second opinion, or a second look at a label of yours`,
    counts.skipped > 0 && `${plural(counts.skipped, 'task')} put aside`,
  ].filter(Boolean);
  if (counts.all === 0) return 'No frame was found for it.';
  if (others.length === 0) return `All ${count(counts.all)} are done.`;
  return `What is left: ${others.join('; ')}.`;
}

/** A share that was written as percent; null for what isn't one. */
export function shareOf(text: string): number | null {
  if (text.trim() === '') return 0;
  const value = Number(text);
  return Number.isFinite(value) && value >= 0 && value <= 100 ? value / 100 : null;
}
