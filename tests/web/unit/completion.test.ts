import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FilterWord, FilterWord_Value as Value } from '../../../cloud/web/src/gen/gleaner/v1/filter_pb.js';
import { offersAt, placeAt, take, wantsValues, type Known } from '../../../cloud/web/src/lib/completion';
import { parseFilter } from '../../../cloud/web/src/lib/filter';

const word = (key: string, value: Value, more: object = {}) => ({ key, value, oneOf: [], help: `about ${key}`, example: `${key}:x`, ofClips: false, ...more }) as unknown as FilterWord;
const words = [
  word('device', Value.NAME),
  word('site', Value.TEXT),
  word('after', Value.MOMENT),
  word('media', Value.ONE_OF, { oneOf: ['ok', 'failed', 'pending'] }),
  word('sharpness', Value.SHARE, { example: 'sharpness<0.2' }),
  word('predicted', Value.CLASS),
];
const known: Known[] = [
  { value: 'cart-1', about: '9 frames' },
  { value: 'cart-2', about: '8 frames' },
  { value: 'aisle 4, left', about: '' },
  { value: '', about: '' },
];

/** What is offered where the bar stands. */
const offered = (text: string, values = known) => {
  const place = placeAt(text.replace('|', ''), text.indexOf('|'));
  return place ? offersAt(place, words, values).map((offer) => offer.text) : [];
};
/** The text after the offer of that name was taken. */
const taken = (text: string, name: string, values = known) => {
  const plain = text.replace('|', '');
  const place = placeAt(plain, text.indexOf('|'));
  assert.ok(place);
  const offer = offersAt(place, words, values).find((one) => one.text === name);
  assert.ok(offer, `${name} is offered at ${text}`);
  const next = take(plain, place, offer);
  return `${next.text.slice(0, next.caret)}|${next.text.slice(next.caret)}`;
};

test('a term begins with a word: those that begin so come first', () => {
  assert.deepEqual(offered('|'), ['device:', 'site:', 'after:', 'media:', 'sharpness<', 'predicted:']);
  assert.deepEqual(offered('device:a s|'), ['site:', 'sharpness<']);
  assert.deepEqual(offered('(device:a or -de|'), ['device:']);
  assert.deepEqual(offered('ED|'), ['media:', 'predicted:']);
  assert.deepEqual(offered('zz|'), []);
});

test('a word says how it goes on, and is not doubled where it does already', () => {
  assert.equal(taken('-dev|', 'device:'), '-device:|');
  assert.equal(taken('sh| site:a', 'sharpness<'), 'sharpness<| site:a');
  assert.equal(taken('de|v:cart-1 x:y', 'device:'), 'device:|cart-1 x:y');
  assert.equal(taken('(d|)', 'device:'), '(device:|)');
});

test('behind a word come its values, without those that are there', () => {
  assert.deepEqual(offered('media:|'), ['ok', 'failed', 'pending']);
  assert.deepEqual(offered('media:ok,|'), ['failed', 'pending']);
  assert.deepEqual(offered('media:|,failed'), ['ok', 'pending']);
  assert.deepEqual(offered('media:ok|,pending'), []);
  assert.deepEqual(offered('device:cart|'), ['cart-1', 'cart-2']);
  assert.deepEqual(offered('device:"cart-1",ca|'), ['cart-2']);
  assert.deepEqual(offered('after:|'), ['15m', '1h', '24h', '7d']);
  assert.deepEqual(offered('unknown:|'), []);
});

test('what is there in full needs no offer', () => {
  assert.deepEqual(offered('media:failed|'), []);
  assert.deepEqual(offered('device:cart-1|'), []);
});

test('a number, and what is no term, is left to whoever writes it', () => {
  assert.deepEqual(offered('sharpness<0.|'), []);
  assert.deepEqual(offered('predicted:cart-1>|'), []);
  assert.deepEqual(offered('a/b|'), []);
});

test('a value is quoted where it has to be, also when its quote is open', () => {
  assert.equal(taken('site:ai|', 'aisle 4, left'), 'site:"aisle 4, left"|');
  assert.equal(taken('site:"aisle 4|" device:a', 'aisle 4, left'), 'site:"aisle 4, left"| device:a');
  assert.equal(taken('site:"aisle 4|', 'aisle 4, left'), 'site:"aisle 4, left"|');
  assert.equal(taken('site:|', 'no site'), 'site:""|');
  assert.equal(taken('device:c|art-9,x', 'cart-2'), 'device:cart-2|,x');
});

test('what was taken can be read', () => {
  for (const value of known) {
    const { text } = take('site:', { start: 5, end: 5, key: 'site', typed: '', taken: [] }, offersAt({ start: 5, end: 5, key: 'site', typed: '', taken: [] }, words, [value])[0] ?? { text: '', insert: '""', about: '' });
    assert.deepEqual(parseFilter(text).problem, null, text);
    assert.deepEqual(parseFilter(text).terms[0].values, [value.value]);
  }
});

test('values are asked for only where the word has none of its own and takes names', () => {
  assert.deepEqual(words.filter(wantsValues).map(({ key }) => key), ['device', 'site', 'predicted']);
});
