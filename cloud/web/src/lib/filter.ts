// The filter language on the page's side: finds the terms of a text so that chips can show and change them. Chips are for terms that must
// hold whatever else does: one in parentheses, or beside an "or", belongs to whoever wrote the text.
// The server is the judge of a filter (ListClipsRequest.filter); what this does not understand stays in the text as it is.

export const KEYS = ['device', 'site', 'rule', 'camera', 'codec', 'after', 'before', 'media', 'id'] as const;
export type Key = (typeof KEYS)[number];

export interface Term {
  key: Key;
  negated: boolean;
  values: string[];
  /** Must hold for all that is found: not in parentheses, and no "or" beside it. */
  alone: boolean;
  /** Where the term stands in the text: [start, end). */
  start: number;
  end: number;
}

export interface Filter {
  terms: Term[];
  /** An "or" outside of parentheses: what is added to the text must not become part of its last half. */
  either: boolean;
  /** The first thing that is not a term, and its column, counted from 1. */
  problem: { column: number; message: string } | null;
}

interface Token {
  text: string;
  start: number;
  end: number;
  /** A double quote was opened and never closed. */
  open: boolean;
}

/** Cuts at white space and parentheses outside double quotes; "(", "-(" and ")" are tokens. */
function tokens(text: string): Token[] {
  const found: Token[] = [];
  let i = 0;
  while (i < text.length) {
    if (/\s/.test(text[i])) {
      i++;
      continue;
    }
    const start = i;
    const parenthesis = /^(-?\(|\))/.exec(text.slice(i, i + 2))?.[0];
    if (parenthesis) {
      i += parenthesis.length;
      found.push({ text: parenthesis, start, end: i, open: false });
      continue;
    }
    let quoted = false;
    while (i < text.length && (quoted || !/[\s()]/.test(text[i]))) {
      if (text[i] === '"') quoted = !quoted;
      i++;
    }
    found.push({ text: text.slice(start, i), start, end: i, open: quoted });
  }
  return found;
}

/** Cuts at commas outside double quotes and takes the quotes off; null where a value is missing ("" is one). */
function splitValues(text: string): string[] | null {
  const pieces = text.match(/(?:"[^"]*"|[^",])+|(?<=^|,)(?=,|$)/g) ?? [''];
  if (pieces.includes('')) return null;
  return pieces.map((piece) => piece.replaceAll('"', ''));
}

export function parseFilter(text: string): Filter {
  const filter: Filter = { terms: [], either: false, problem: null };
  const opened: number[] = [];
  let wanted = true; // a term must come: nothing to its left, or "or", or "("
  const complain = (at: number, message: string) => {
    filter.problem ??= { column: at + 1, message };
  };
  for (const token of tokens(text)) {
    const match = /^(-?)([^:"]*):(.*)$/s.exec(token.text);
    if (token.text.endsWith('(') && !token.open && !match) {
      opened.push(token.start);
      wanted = true;
      continue;
    }
    if (token.text === ')') {
      if (wanted) complain(token.start, 'a term is missing before this parenthesis');
      if (opened.pop() === undefined) complain(token.start, 'there is no parenthesis that this one closes');
      wanted = false;
      continue;
    }
    if (token.text === 'or') {
      if (wanted) complain(token.start, '“or” stands between terms');
      if (!opened.length) filter.either = true;
      wanted = true;
      continue;
    }
    wanted = false;
    if (token.open) {
      complain(token.start + token.text.lastIndexOf('"'), 'this double quote is never closed');
    } else if (!match) {
      complain(token.start, `“${token.text}” is not key:value`);
    } else if (!(KEYS as readonly string[]).includes(match[2])) {
      complain(token.start + match[1].length, `there is no key “${match[2]}”; there are ${KEYS.join(', ')}`);
    } else {
      const values = splitValues(match[3]);
      if (!values) {
        complain(token.start + match[1].length + match[2].length + 1, `${match[2]}: needs a value`);
      } else {
        filter.terms.push({
          key: match[2] as Key,
          negated: match[1] === '-',
          values,
          alone: opened.length === 0,
          start: token.start,
          end: token.end,
        });
      }
    }
  }
  if (opened.length) complain(opened[opened.length - 1], 'this parenthesis is never closed');
  else if (wanted && text.trim() !== '') complain(text.length, 'a term is missing after “or”');
  if (filter.either) for (const term of filter.terms) term.alone = false;
  return filter;
}

/** What is wrong with a filter, for people; '' when it can be read. */
export function complaint({ problem }: Filter): string {
  return problem ? `Column ${problem.column}: ${problem.message}.` : '';
}

/** A value as a chip shows it: clips may have no site. */
export function nameOf(key: Key, value: string): string {
  return value === '' ? `no ${key}` : value;
}

function quote(value: string): string {
  return /^$|[\s,()<>]/.test(value) ? `"${value}"` : value;
}

export function formatTerm(key: Key, values: string[], negated = false): string {
  return `${negated ? '-' : ''}${key}:${values.map(quote).join(',')}`;
}

/** Puts `replacement` where [start, end) was, and leaves exactly one space between terms around it. */
function splice(text: string, start: number, end: number, replacement: string): string {
  const parts = [text.slice(0, start).trimEnd(), replacement, text.slice(end).trimStart()];
  return parts.filter((part) => part !== '').join(' ');
}

export function removeTerm(text: string, term: Term): string {
  return splice(text, term.start, term.end, '');
}

/** The values that a chip menu shows as chosen: those of every positive term with this key. */
export function chosen(text: string, key: Key): string[] {
  return parseFilter(text)
    .terms.filter((term) => term.key === key && !term.negated && term.alone)
    .flatMap((term) => term.values);
}

/** With a term more that must hold. */
function withTerm(text: string, term: string): string {
  const whole = parseFilter(text).either ? `(${text.trim()})` : text;
  return splice(whole, whole.length, whole.length, term);
}

/** Chooses a value, or takes the choice back. */
export function toggleValue(text: string, key: Key, value: string): string {
  const { terms } = parseFilter(text);
  const positive = terms.filter((term) => term.key === key && !term.negated && term.alone);
  const holder = positive.find((term) => term.values.includes(value));
  if (holder) {
    const rest = holder.values.filter((other) => other !== value);
    return splice(text, holder.start, holder.end, rest.length ? formatTerm(key, rest) : '');
  }
  const first = positive[0];
  if (first) return splice(text, first.start, first.end, formatTerm(key, [...first.values, value]));
  return withTerm(text, formatTerm(key, [value]));
}

/** Leaves exactly one positive term with this key, or none for null. */
export function setValue(text: string, key: Key, value: string | null): string {
  const positive = parseFilter(text).terms.filter((term) => term.key === key && !term.negated && term.alone);
  let result = text;
  for (const term of positive.reverse()) result = removeTerm(result, term);
  return value === null ? result.trim() : withTerm(result, formatTerm(key, [value]));
}

/** Whether something with these properties passes the terms that speak of them; other terms are not looked at. */
export function passes(filter: Filter, properties: Partial<Record<Key, string>>): boolean {
  return filter.terms.filter((term) => term.alone).every((term) => {
    const value = properties[term.key];
    return value === undefined || term.values.includes(value) !== term.negated;
  });
}
