// What could be written next in a filter: words at the start of a term, values behind one. Pure; which words and values there are the
// server says (words.svelte.ts).

import { type FilterWord, FilterWord_Value } from '../gen/gleaner/v1/filter_pb.js';
import { nameOf, quote } from './filter';

/** Where the caret is. */
export interface Place {
  /** What would be replaced: [start, end). */
  start: number;
  end: number;
  /** The word whose value is being written; '' where a word is. */
  key: string;
  /** What is there of it before the caret. */
  typed: string;
  /** Values that the term has already. */
  taken: string[];
}

export interface Offer {
  /** As it is shown. */
  text: string;
  /** As it stands in the text. */
  insert: string;
  about: string;
}

/** A value that there is, with how much there is of it. */
export interface Known {
  value: string;
  about: string;
}

const MOST = 50;

const SPANS: Known[] = [
  { value: '15m', about: 'the last 15 minutes' },
  { value: '1h', about: 'the last hour' },
  { value: '24h', about: 'the last 24 hours' },
  { value: '7d', about: 'the last 7 days' },
];

const unquoted = (text: string) => text.replaceAll('"', '');

/** null where nothing can be offered: within a number, or behind what is no term. */
export function placeAt(text: string, caret: number): Place | null {
  let term = 0;
  let piece = 0; // where the value at the caret begins; 0 for none
  let colon = -1;
  let compared = false;
  let quoted = false;
  const pieces: number[] = [];
  for (let i = 0; i < caret; i++) {
    const letter = text[i];
    if (letter === '"') quoted = !quoted;
    if (quoted) continue;
    if (/[\s()]/.test(letter)) {
      [term, colon, compared] = [i + 1, -1, false];
      pieces.length = 0;
    } else if (letter === ':' && colon < 0 && !compared) {
      colon = i;
      piece = i + 1;
      pieces.push(piece);
    } else if (letter === ',' && colon >= 0) {
      piece = i + 1;
      pieces.push(piece);
    } else if (letter === '<' || letter === '>') compared = true;
  }
  if (compared) return null;
  const start = text[term] === '-' && term < caret ? term + 1 : term;
  if (colon < 0) {
    const typed = text.slice(start, caret);
    if (!/^[A-Za-z]*$/.test(typed)) return null;
    const [after] = /^[A-Za-z]*/.exec(text.slice(caret)) ?? [''];
    return { start, end: caret + after.length, key: '', typed, taken: [] };
  }
  const [after] = (quoted ? /^[^"]*"?/ : /^[^\s,()<>"]*/).exec(text.slice(caret)) ?? [''];
  const end = caret + after.length;
  const [rest] = /^(?:,(?:"[^"]*"|[^\s,()<>"]+))*/.exec(text.slice(end)) ?? [''];
  const before = pieces.slice(0, -1).map((from, n) => text.slice(from, pieces[n + 1] - 1));
  return {
    start: piece,
    end,
    key: text.slice(start, colon),
    typed: unquoted(text.slice(piece, caret)),
    taken: [...before, ...rest.split(',').slice(1)].map(unquoted),
  };
}

/** What begins with what was typed comes first, then what has it anywhere. */
function fitting<T>(all: T[], typed: string, of: (one: T) => string): T[] {
  const wanted = typed.toLowerCase();
  const at = (one: T) => of(one).toLowerCase().indexOf(wanted);
  return [...all.filter((one) => at(one) === 0), ...all.filter((one) => at(one) > 0)].slice(0, MOST);
}

/** How a word goes on: "device:", "sharpness<". */
function opening(word: FilterWord): string {
  const compared = word.value === FilterWord_Value.SHARE || word.value === FilterWord_Value.NUMBER;
  return word.key + (compared ? (/[<>]=?/.exec(word.example)?.[0] ?? '>') : ':');
}

/** Whether there are values to ask the server for. */
export function wantsValues(word: FilterWord): boolean {
  return word.oneOf.length === 0 && [FilterWord_Value.NAME, FilterWord_Value.CLASS, FilterWord_Value.TEXT].includes(word.value);
}

/** `values`: those of the place's word, where the word itself doesn't say them. */
export function offersAt(place: Place, words: FilterWord[], values: Known[]): Offer[] {
  if (place.key === '') {
    return fitting(words, place.typed, (word) => word.key).map((word) => ({ text: opening(word), insert: opening(word), about: word.help }));
  }
  const word = words.find(({ key }) => key === place.key);
  if (!word) return [];
  const known: Known[] =
    word.oneOf.length > 0 ? word.oneOf.map((value) => ({ value, about: '' }))
    : word.value === FilterWord_Value.MOMENT ? SPANS
    : wantsValues(word) ? values
    : [];
  const left = known.filter(({ value }) => !place.taken.includes(value));
  const offers = fitting(left, place.typed, ({ value }) => value);
  // What is there in full already needs no offer.
  if (offers.length === 1 && offers[0].value === place.typed) return [];
  return offers.map(({ value, about }) => ({ text: nameOf(place.key, value), insert: quote(value), about }));
}

/** The text with the offer in its place, and where the caret is then. */
export function take(text: string, place: Place, offer: Offer): { text: string; caret: number } {
  const rest = text.slice(place.end);
  // A word whose colon is there already only changes its name.
  const goesOn = place.key === '' && /^[:<>]/.test(rest);
  const insert = goesOn ? offer.insert.replace(/[:<>=]+$/, '') : offer.insert;
  return { text: text.slice(0, place.start) + insert + rest, caret: place.start + insert.length + (goesOn ? 1 : 0) };
}
