// The filter language on the page's side: finds the terms of a text so that chips can show and change them. Chips are for terms that must
// hold whatever else does: one in parentheses, or beside an "or", belongs to whoever wrote the text.
// Which words there are, and what they take, the server says (words.svelte.ts), and it is the judge of a filter
// (ListClipsRequest.filter); what this does not understand stays in the text as it is.

export interface Term {
  key: string;
  negated: boolean;
  values: string[];
  /** "<0.2", ">= 3"; '' where nothing is compared. */
  comparison: string;
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

/** Cuts off the comparison at the end: what begins with the first "<" or ">" outside double quotes. */
function splitComparison(text: string): [string, string] {
  const [plain] = /^(?:[^"<>]|"[^"]*")*/.exec(text) ?? [''];
  return [plain, text.slice(plain.length)];
}

/** Cuts at commas outside double quotes and takes the quotes off; null where a value is missing ("" is one). */
function splitValues(text: string): string[] | null {
  const pieces = text.match(/(?:"[^"]*"|[^",])+|(?<=^|,)(?=,|$)/g) ?? [''];
  if (pieces.includes('')) return null;
  return pieces.map((piece) => piece.replaceAll('"', ''));
}

/** `keys`: the words that the server knows, where they are known. */
export function parseFilter(text: string, keys?: ReadonlySet<string>): Filter {
  const filter: Filter = { terms: [], either: false, problem: null };
  const opened: number[] = [];
  let wanted = true; // a term must come: nothing to its left, or "or", or "("
  const complain = (at: number, message: string) => {
    filter.problem ??= { column: at + 1, message };
  };
  for (const token of tokens(text)) {
    const match = /^(-?)([^:"<>]+)(?=[:<>])(.*)$/s.exec(token.text);
    if (token.text === '(' || token.text === '-(') {
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
    } else if (keys && !keys.has(match[2])) {
      complain(token.start + match[1].length, `there is no word “${match[2]}”`);
    } else {
      const rest = token.start + match[1].length + match[2].length;
      const [listed, comparison] = splitComparison(match[3]);
      const values = listed === '' ? [] : splitValues(listed.slice(1));
      if (!values) {
        complain(rest + 1, `${match[2]}: needs a value`);
      } else if (comparison && !/^[<>]=?[^<>=,]+$/.test(comparison)) {
        complain(rest + listed.length, `${match[2]} is compared with a number`);
      } else {
        filter.terms.push({
          key: match[2],
          negated: match[1] === '-',
          values,
          comparison,
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
export function nameOf(key: string, value: string): string {
  return value === '' ? `no ${key}` : value;
}

/** A value as it stands in a filter. */
export function quote(value: string): string {
  return /^$|[\s,()<>]/.test(value) ? `"${value}"` : value;
}

export function formatTerm(key: string, values: string[], negated = false, comparison = ''): string {
  return `${negated ? '-' : ''}${key}${values.length ? ':' : ''}${values.map(quote).join(',')}${comparison}`;
}

/** Puts `replacement` where [start, end) was, and leaves exactly one space between terms around it. */
function splice(text: string, start: number, end: number, replacement: string): string {
  const parts = [text.slice(0, start).trimEnd(), replacement, text.slice(end).trimStart()];
  return parts.filter((part) => part !== '').join(' ');
}

export function removeTerm(text: string, term: Term): string {
  return splice(text, term.start, term.end, '');
}

/** A term that a chip can speak for: positive, of whole values, and it must hold. */
const plain = (term: Term, key: string) => term.key === key && !term.negated && term.alone && !term.comparison;

/** The values that a chip menu shows as chosen: those of every positive term with this key. */
export function chosen(text: string, key: string): string[] {
  return parseFilter(text)
    .terms.filter((term) => plain(term, key))
    .flatMap((term) => term.values);
}

/** With a term more that must hold. */
function withTerm(text: string, term: string): string {
  const whole = parseFilter(text).either ? `(${text.trim()})` : text;
  return splice(whole, whole.length, whole.length, term);
}

/** Chooses a value, or takes the choice back. */
export function toggleValue(text: string, key: string, value: string): string {
  const { terms } = parseFilter(text);
  const positive = terms.filter((term) => plain(term, key));
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
export function setValue(text: string, key: string, value: string | null): string {
  const positive = parseFilter(text).terms.filter((term) => plain(term, key));
  let result = text;
  for (const term of positive.reverse()) result = removeTerm(result, term);
  return value === null ? result.trim() : withTerm(result, formatTerm(key, [value]));
}

/** Whether something with these properties passes the terms that speak of them; other terms are not looked at. */
export function passes(filter: Filter, properties: Record<string, string>): boolean {
  return filter.terms.filter((term) => term.alone).every((term) => {
    const value: string | undefined = properties[term.key];
    return value === undefined || term.values.includes(value) !== term.negated;
  });
}

/** The column, from 1 in bytes of UTF-8, of a mistake as the server names it ("filter, column 8: …"); null for other messages. */
export function columnOf(message: string): number | null {
  const found = /\bfilter, column (\d{1,6}):/i.exec(message);
  return found ? Number(found[1]) : null;
}

/** What to mark of a text in which a mistake begins at that column: [start, end), to the end of the term, and at least one letter. */
export function markedAt(text: string, column: number): [number, number] {
  let start = 0;
  for (let bytes = column - 1; bytes > 0 && start < text.length; ) {
    const letter = text.codePointAt(start) as number;
    bytes -= letter < 0x80 ? 1 : letter < 0x800 ? 2 : letter < 0x10000 ? 3 : 4;
    start += letter < 0x10000 ? 1 : 2;
  }
  const token = tokens(text).find(({ start: from, end }) => from <= start && start < end);
  return [start, Math.max(token?.end ?? start, start + 1)];
}
