// A selection in words and numbers: its mix, what there was to choose from, its picks, and two of them beside each other.

import type { Selection, SelectionDifference, SelectionOutcome, SelectionPick, SelectionPool, SelectionQuotas } from '../gen/gleaner/v1/curate_pb.js';
import { count, measure, percent, plural, share, span } from '../lib/format';

/** What every mix has, whatever else: what the others are measured against. */
export const ALWAYS = ['random', 'random_after_dedup'];
export const DEFAULT_BUDGET = 20;
const MOST_BUDGET = 10_000;
const MOST_ARMS = 16;
/** Of the whole. */
const LEAST_RANDOM = 0.01;

/** The address of a selection's page, within all that there is of them. */
export function pageOf(name: string, more: Record<string, string> = {}): string {
  return `/review/selections?${new URLSearchParams({ name, ...more })}`;
}

/** The address of the form that makes a set of tasks of it. */
export function tasksOf(selection: Pick<Selection, 'name' | 'schema'>): string {
  return `/review?make=yes&filter=selected:${selection.name}&schema=${encodeURIComponent(selection.schema)}`;
}

/** A share as short as it is: "90 %", "2.5 %". */
export function shareWords(share: number): string {
  return `${Number((100 * share).toFixed(1))}\u202f%`;
}

/** "hybrid 90 %, random 5 %" */
export function mixWords(arms: { strategy: string; share: number }[]): string {
  return arms.map((arm) => `${arm.strategy} ${shareWords(arm.share)}`).join(', ');
}

/** "at most 5 of one site, 2 of one cluster of near-duplicates"; '' without any. */
export function quotaWords(quotas: Pick<SelectionQuotas, 'site' | 'device' | 'cluster'> | undefined): string {
  const parts = [
    quotas?.site && `${count(quotas.site)} of one site`,
    quotas?.device && `${count(quotas.device)} of one device`,
    quotas?.cluster && `${count(quotas.cluster)} of one cluster of near-duplicates`,
  ].filter(Boolean);
  return parts.length ? `at most ${parts.join(', ')}` : '';
}

export interface PoolLine {
  name: string;
  frames: bigint;
  /** What is said of it in a few words. */
  about: string;
}

/** What was known of the frames that there were to choose from, of each a part of them. */
export function poolLines(pool: SelectionPool): PoolLine[] {
  return [
    { name: 'With a prediction', frames: pool.predicted, about: 'what margin, entropy and class balance ask' },
    { name: 'With an embedding', frames: pool.embedded, about: 'what coverage and novelty ask' },
  ];
}

/** A strategy's own measure; chance as what it is. */
export function scoreWords(pick: Pick<SelectionPick, 'strategy' | 'score'>): string {
  if (ALWAYS.includes(pick.strategy)) return `chance ${percent(100 * pick.score)}`;
  return `score ${measure(pick.score)}`;
}

export function keyOf(pick: SelectionPick): string {
  return `${pick.frame?.clip}/${pick.frame?.camera}/${pick.frame?.pts}`;
}

/** What a screen reader says of a pick. */
export function pickLabel(pick: SelectionPick): string {
  const parts = [
    `${pick.device}${pick.site ? `, ${pick.site}` : ''}`,
    `${pick.strategy}, ${scoreWords(pick)}`,
    pick.reason,
    pick.predicted && `predicted ${pick.predicted}`,
    pick.cluster && `cluster ${pick.cluster}`,
  ];
  return parts.filter(Boolean).join('; ');
}

// --- a mix, as it is asked for ----------------------------------------------------------------------

/** The shares that somebody wrote, by strategy; one that is empty isn't in the mix. */
export interface Mix {
  arms: { strategy: string; share: number }[];
  /** What is wrong with it; '' where nothing is. */
  problem: string;
}

export function mixOf(shares: Record<string, string>, budget: number): Mix {
  const arms: Mix['arms'] = [];
  for (const [strategy, text] of Object.entries(shares)) {
    if (text.trim() === '' && !ALWAYS.includes(strategy)) continue;
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value) || value < 0 || value > 1000 || (value === 0 && ALWAYS.includes(strategy))) {
      const always = ALWAYS.includes(strategy) ? ', and every selection has some of it' : '';
      return { arms: [], problem: `The share of ${strategy} is a number above 0${always}.` };
    }
    if (value > 0) arms.push({ strategy, share: value });
  }
  const total = arms.reduce((sum, arm) => sum + arm.share, 0);
  const scarce = arms.find((arm) => ALWAYS.includes(arm.strategy) && arm.share < LEAST_RANDOM * total);
  const problem =
    scarce ? `The share of ${scarce.strategy} is at least ${shareWords(LEAST_RANDOM)} of the whole.`
    : arms.length > MOST_ARMS ? `A mix has at most ${MOST_ARMS} strategies.`
    : budget < arms.length ? `The budget is at least ${plural(arms.length, 'frame')}: one for each strategy of the mix.`
    : budget > MOST_BUDGET ? `The budget is at most ${plural(MOST_BUDGET, 'frame')}.`
    : '';
  return { arms, problem };
}

/** About how many frames of the budget each gets. */
export function framesOf(arms: Mix['arms'], budget: number): Map<string, number> {
  const total = arms.reduce((sum, arm) => sum + arm.share, 0);
  return new Map(arms.map(({ strategy, share }) => [strategy, Math.max(1, Math.round((budget * share) / total))]));
}

// --- how many were labelled so far --------------------------------------------------------------------

/** Of more frames a server counts only the newest. */
const COUNTED = 10_000;
const NAMES = 60;

/** Names whose frames can be counted in one go. */
export function countedTogether(selections: Pick<Selection, 'name' | 'picks'>[]): string[][] {
  const groups: string[][] = [];
  let frames = 0;
  for (const { name, picks } of selections) {
    const last = groups[groups.length - 1];
    if (!last || last.length === NAMES || frames + picks >= COUNTED) {
      groups.push([name]);
      frames = picks;
    } else {
      last.push(name);
      frames += picks;
    }
  }
  return groups;
}

// --- two beside each other ----------------------------------------------------------------------------

export interface OutcomeLine {
  name: string;
  /** What it counts, where the name doesn't say it all. */
  about: string;
  of: (outcome: SelectionOutcome) => string;
}

const ofLabelled = (n: number, { labelled }: SelectionOutcome) => (labelled > 0 ? `${count(n)} (${share(n, labelled)})` : count(n));

export const OUTCOME: OutcomeLine[] = [
  { name: 'Frames', about: 'that it chose', of: (one) => count(one.selection?.picks ?? 0) },
  { name: 'Different', about: 'clusters of near-duplicates', of: (one) => count(one.clusters) },
  { name: 'Labelled since', about: '', of: (one) => `${count(one.labelled)} (${share(one.labelled, one.selection?.picks ?? 0)})` },
  { name: 'Accepted', about: 'as the model had it', of: (one) => ofLabelled(one.accepted, one) },
  { name: 'Corrected', about: 'fixed or rejected', of: (one) => ofLabelled(one.corrected, one) },
  { name: 'From scratch', about: '', of: (one) => ofLabelled(one.created, one) },
  { name: 'Another class', about: 'than was predicted then', of: (one) => ofLabelled(one.classChanged, one) },
  { name: 'People’s time', about: '', of: (one) => (one.humanMs > 0n ? span(Number(one.humanMs) / 1000) : '–') },
  {
    name: 'A label',
    about: 'people’s time for each',
    of: (one) => (one.labelled > 0 && one.humanMs > 0n ? span(Number(one.humanMs) / 1000 / one.labelled) : '–'),
  },
  { name: 'Gone', about: 'not among the frames of their clips any more', of: (one) => count(one.gone) },
];

const KINDS: [string, string][] = [
  ['strategy', 'Strategy'],
  ['class', 'Predicted class'],
  ['site', 'Site'],
  ['device', 'Device'],
  ['cluster', 'Cluster of near-duplicates'],
];

/**
 * Differences by what they are about, each in the server's order; what this page doesn't know of comes last. Clusters count only where
 * one side has several frames of one: that each has one that the other hasn't is how it should be.
 */
export function differencesByKind(all: SelectionDifference[]): { what: string; title: string; lines: SelectionDifference[] }[] {
  const known = new Map(KINDS);
  const kinds = [...new Set([...KINDS.map(([what]) => what), ...all.map(({ what }) => what)])];
  return kinds
    .map((what) => ({ what, title: known.get(what) ?? what, lines: all.filter((one) => one.what === what && (what !== 'cluster' || Math.max(one.from, one.to) > 1)) }))
    .filter(({ lines }) => lines.length > 0);
}
