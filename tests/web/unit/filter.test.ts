import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chosen, columnOf, formatTerm, markedAt, nameOf, parseFilter, passes, removeTerm, setValue, toggleValue } from '../../../cloud/web/src/lib/filter';

test('terms carry key, negation, values and where they stand', () => {
  const text = 'device:cart-1,cart-2 -rule:motion after:2026-11-22T08:00:00Z';
  const { terms, problem } = parseFilter(text);
  assert.equal(problem, null);
  assert.deepEqual(
    terms.map((t) => [t.key, t.negated, t.values, text.slice(t.start, t.end)]),
    [
      ['device', false, ['cart-1', 'cart-2'], 'device:cart-1,cart-2'],
      ['rule', true, ['motion'], '-rule:motion'],
      ['after', false, ['2026-11-22T08:00:00Z'], 'after:2026-11-22T08:00:00Z'],
    ],
  );
});

test('a quoted value keeps its spaces and commas', () => {
  const { terms, problem } = parseFilter('site:"aisle 4, left",b');
  assert.equal(problem, null);
  assert.deepEqual(terms[0].values, ['aisle 4, left', 'b']);
});

test('a mistake is named with its column and the rest is still read', () => {
  const filter = parseFilter('site:a  colour:red device:x', new Set(['site', 'device']));
  assert.equal(filter.problem?.column, 9);
  assert.match(filter.problem?.message ?? '', /colour/);
  assert.deepEqual(filter.terms.map((t) => t.key), ['site', 'device']);
  assert.equal(parseFilter('hello').problem?.column, 1);
  assert.equal(parseFilter('-device:').problem?.column, 9);
  assert.equal(parseFilter('device:a,,b').problem?.column, 8);
  assert.equal(parseFilter('site:"open').problem?.column, 6);
});

test('a value can be empty in quotes: clips without a site', () => {
  const filter = parseFilter('site:"",store-7');
  assert.equal(filter.problem, null);
  assert.deepEqual(filter.terms[0].values, ['', 'store-7']);
  assert.equal(toggleValue('', 'site', ''), 'site:""');
  assert.equal(toggleValue('site:"",store-7', 'site', 'store-7'), 'site:""');
  assert.equal(toggleValue('site:""', 'site', ''), '');
  assert.equal(passes(filter, { site: '' }), true);
  assert.equal(passes(filter, { site: 'road' }), false);
  assert.equal(nameOf('site', ''), 'no site');
  assert.equal(nameOf('site', 'road'), 'road');
});

test('which words there are is the server’s to say', () => {
  assert.equal(parseFilter('colour:red').problem, null);
  assert.equal(parseFilter('colour:red', new Set(['site'])).problem?.column, 1);
});

test('a comparison is part of its term, with values before it or without', () => {
  const { terms, problem } = parseFilter('sharpness<0.2 -predicted:bottle,"a<b">=0.6 motion>0.05');
  assert.equal(problem, null);
  assert.deepEqual(
    terms.map((t) => [t.key, t.negated, t.values, t.comparison]),
    [
      ['sharpness', false, [], '<0.2'],
      ['predicted', true, ['bottle', 'a<b'], '>=0.6'],
      ['motion', false, [], '>0.05'],
    ],
  );
  assert.deepEqual(terms.map((t) => formatTerm(t.key, t.values, t.negated, t.comparison)), ['sharpness<0.2', '-predicted:bottle,"a<b">=0.6', 'motion>0.05']);
  assert.equal(parseFilter('device:a sharpness<').problem?.column, 19);
  assert.equal(parseFilter('sharpness<0.1<0.2').problem?.column, 10);
  // A chip chooses values; what is compared is not its business.
  assert.deepEqual(chosen('predicted:bottle>0.6', 'predicted'), []);
});

test('the column of a mistake is read from the server’s words, and only from those', () => {
  assert.equal(columnOf('Filter, column 8: unknown key "colour"'), 8);
  assert.equal(columnOf('arms: there is no strategy x'), null);
  assert.equal(columnOf('page_size is 7, column 3'), null);
});

test('what is marked is the rest of the term in which the mistake is, whatever letters come before it', () => {
  const marked = (text: string, column: number) => text.slice(...markedAt(text, column));
  assert.equal(marked('device:a colour:red site:b', 10), 'colour:red');
  assert.equal(marked('site:"Gänge 😀" colour:red', 'site:"Gänge 😀" '.length + 1 + 1 + 2), 'colour:red');
  assert.equal(marked('(device:a', 1), '(');
  // What is missing stands behind the end.
  assert.deepEqual(markedAt('site:', 6), [5, 6]);
  assert.deepEqual(markedAt('', 1), [0, 1]);
  assert.deepEqual(markedAt('a', 99), [1, 2]);
});

test('an empty text is an empty filter', () => {
  assert.deepEqual(parseFilter('  '), { terms: [], either: false, problem: null });
});

test('toggling a value adds it, joins it to its term, and takes it out again', () => {
  let text = toggleValue('', 'device', 'cart-1');
  assert.equal(text, 'device:cart-1');
  text = toggleValue(text, 'site', 'aisle 4');
  assert.equal(text, 'device:cart-1 site:"aisle 4"');
  text = toggleValue(text, 'device', 'cart-2');
  assert.equal(text, 'device:cart-1,cart-2 site:"aisle 4"');
  text = toggleValue(text, 'device', 'cart-1');
  assert.equal(text, 'device:cart-2 site:"aisle 4"');
  text = toggleValue(text, 'device', 'cart-2');
  assert.equal(text, 'site:"aisle 4"');
  assert.equal(toggleValue(text, 'site', 'aisle 4'), '');
});

test('a chip leaves negated terms and what it does not understand alone', () => {
  assert.equal(toggleValue('-device:a wat', 'device', 'a'), '-device:a wat device:a');
  assert.deepEqual(chosen('-device:a device:b device:c', 'device'), ['b', 'c']);
});

test('setting a single value replaces every earlier one', () => {
  assert.equal(setValue('after:2h device:a after:3d', 'after', '1h'), 'device:a after:1h');
  assert.equal(setValue('after:2h', 'after', null), '');
});

test('removing a term leaves one space between the others', () => {
  const text = 'device:a   site:b   media:ok';
  assert.equal(removeTerm(text, parseFilter(text).terms[1]), 'device:a media:ok');
});

test('only the terms that speak of a property decide', () => {
  const filter = parseFilter('device:a,b -site:x rule:motion');
  assert.equal(passes(filter, { device: 'a', site: 'y' }), true);
  assert.equal(passes(filter, { device: 'a', site: 'x' }), false);
  assert.equal(passes(filter, { device: 'c', site: 'y' }), false);
});

test('chips leave alternatives and parentheses to whoever wrote them', () => {
  const text = 'device:a (site:b or -rule:c) -(camera:front or codec:h264)';
  const filter = parseFilter(text);
  assert.equal(filter.problem, null);
  assert.equal(filter.either, false);
  assert.deepEqual(filter.terms.map((t) => [t.key, t.alone]), [
    ['device', true],
    ['site', false],
    ['rule', false],
    ['camera', false],
    ['codec', false],
  ]);
  assert.deepEqual(chosen(text, 'site'), []);
  assert.equal(toggleValue(text, 'site', 'x'), `${text} site:x`);
  assert.equal(toggleValue(text, 'device', 'a'), '(site:b or -rule:c) -(camera:front or codec:h264)');
  assert.equal(passes(filter, { device: 'a', site: 'other' }), true);
});

test('what a chip adds holds for both halves of an or', () => {
  assert.equal(toggleValue('device:a or site:b', 'device', 'a'), '(device:a or site:b) device:a');
  assert.equal(setValue('device:a or after:2h', 'after', '1h'), '(device:a or after:2h) after:1h');
  assert.equal(setValue('device:a or after:2h', 'after', null), 'device:a or after:2h');
  assert.equal(passes(parseFilter('device:a or site:b'), { device: 'c', site: 'd' }), true);
});

test('a mistake with or and parentheses is named with its column', () => {
  const at = (text: string) => parseFilter(text).problem?.column;
  assert.equal(at('(device:a'), 1);
  assert.equal(at('device:a)'), 9);
  assert.equal(at('or device:a'), 1);
  assert.equal(at('device:a or'), 12);
  assert.equal(at('device:a or or site:b'), 13);
  assert.equal(at('()'), 2);
  assert.equal(at('site:"a (b) or c"'), undefined);
});
