// What the page says of a dataset: its card, as the server wrote it, in lines and bars.

export const SPLITS = ['train', 'validation', 'test'] as const;
export type Split = (typeof SPLITS)[number];

/** One class, site or the like: how many of its frames are in which split. */
export interface Line {
  name: string;
  frames: number;
  boxes?: number;
  bySplit: Record<Split, number>;
}

export interface Card {
  frames: number;
  boxes: number;
  empty: number;
  bySplit: Record<Split, number>;
  groups: { title: string; lines: Line[] }[];
  leftOut: { why: string; frames: number }[];
  missing: string[];
  how: { filter: string; leastRole: string; leaveOutEmpty: boolean; seed: number; most: number; asOfUnixNs: number };
}

const GROUPS: [string, string][] = [
  ['by_class', 'Class'],
  ['by_site', 'Site'],
  ['by_device', 'Device'],
  ['by_rule', 'Rule'],
  ['by_model', 'Model'],
  ['by_reviewer_role', 'Reviewed as'],
];

const number = (value: unknown): number => (typeof value === 'number' ? value : 0);
const record = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
const splits = (value: unknown): Record<Split, number> => {
  const of = record(value);
  return { train: number(of.train), validation: number(of.validation), test: number(of.test) };
};

/** null for a text that is no card. */
export function parseCard(json: string): Card | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    return null;
  }
  const card = record(parsed);
  if (typeof card.frames !== 'number') return null;
  const how = record(card.how);
  return {
    frames: card.frames,
    boxes: number(card.boxes),
    empty: number(card.frames_without_a_label_in_them),
    bySplit: splits(card.by_split),
    groups: GROUPS.map(([key, title]) => ({
      title,
      lines: Object.entries(record(card[key]))
        .map(([name, line]) => ({
          name,
          frames: number(record(line).frames),
          boxes: typeof record(line).boxes === 'number' ? number(record(line).boxes) : undefined,
          bySplit: splits(line),
        }))
        .sort((a, b) => b.frames - a.frames || (a.name < b.name ? -1 : 1)),
    })).filter(({ lines }) => lines.length > 0),
    leftOut: Object.entries(record(card.left_out)).map(([why, frames]) => ({ why, frames: number(frames) })),
    missing: Array.isArray(card.missing) ? card.missing.map(String) : [],
    how: {
      filter: typeof how.filter === 'string' ? how.filter : '',
      leastRole: typeof how.least_role === 'string' ? how.least_role : '',
      leaveOutEmpty: how.leave_out_empty === true,
      seed: number(how.seed),
      most: number(how.most),
      asOfUnixNs: number(how.as_of_unix_ns),
    },
  };
}

/** "Labels of annotators and above, without empty frames, at most 200 by seed 7." */
export function chosenBy(how: Card['how']): string {
  const parts = [`Labels of ${how.leastRole || 'annotator'}s and above`];
  if (how.leaveOutEmpty) parts.push('without empty frames');
  parts.push(how.most > 0 ? `at most ${how.most} by seed ${how.seed}` : 'all of them');
  return `${parts.join(', ')}.`;
}

/** The address of a dataset's card. `/datasets/…` are its files. */
export function pageOf(name: string): string {
  return `/datasets?name=${encodeURIComponent(name)}`;
}
