import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SelectionDifference, SelectionOutcome, SelectionPick } from '../../../cloud/web/src/gen/gleaner/v1/curate_pb.js';
import {
  countedTogether, differencesByKind, framesOf, mixOf, mixWords, OUTCOME, pageOf, pickLabel, quotaWords, scoreWords, tasksOf,
} from '../../../cloud/web/src/select/selection';

test('a mix and its quotas are said in words', () => {
  assert.equal(mixWords([{ strategy: 'hybrid', share: 0.9 }, { strategy: 'random', share: 0.05 }]), 'hybrid 90\u202f%, random 5\u202f%');
  assert.equal(quotaWords({ site: 5, device: 0, cluster: 1 }), 'at most 5 of one site, 1 of one cluster of near-duplicates');
  assert.equal(quotaWords({ site: 0, device: 0, cluster: 0 }), '');
  assert.equal(quotaWords(undefined), '');
});

test('a pick says who chose it, how sure, why, and what was seen', () => {
  const pick = { strategy: 'margin', score: 0.9612, reason: 'margin 0.04 between bottle and mug', device: 'cart-1', site: 'store-7', cluster: 12n, predicted: 'bottle' } as SelectionPick;
  assert.equal(pickLabel(pick), 'cart-1, store-7; margin, score 0.961; margin 0.04 between bottle and mug; predicted bottle; cluster 12');
  assert.equal(pickLabel({ ...pick, site: '', cluster: 0n, predicted: '' }), 'cart-1; margin, score 0.961; margin 0.04 between bottle and mug');
  assert.equal(scoreWords({ strategy: 'random', score: 0.0231 }), 'chance 2.3\u202f%');
});

test('shares become arms; chance is in every mix', () => {
  const mix = mixOf({ hybrid: '90', margin: '', entropy: '0', random_after_dedup: '5', random: ' 5 ' }, 20);
  assert.equal(mix.problem, '');
  assert.deepEqual(mix.arms, [{ strategy: 'hybrid', share: 90 }, { strategy: 'random_after_dedup', share: 5 }, { strategy: 'random', share: 5 }]);
  assert.match(mixOf({ hybrid: '90', random: '' }, 20).problem, /random .*every selection/);
  assert.match(mixOf({ hybrid: '90', random: '0' }, 20).problem, /random/);
  assert.match(mixOf({ hybrid: 'much', random: '5' }, 20).problem, /hybrid/);
  assert.match(mixOf({ hybrid: '-1', random: '5' }, 20).problem, /hybrid/);
  assert.match(mixOf({ hybrid: '990', random: '5' }, 20).problem, /at least 1\u202f%/);
  assert.match(mixOf({ hybrid: '90', random: '5' }, 1).problem, /2 frames/);
  assert.match(mixOf({ hybrid: '90', random: '5' }, 10_001).problem, /10,000/);
});

test('each arm gets about its share of the budget, and one frame at least', () => {
  const { arms } = mixOf({ hybrid: '90', random_after_dedup: '5', random: '5' }, 20);
  assert.deepEqual([...framesOf(arms, 20)], [['hybrid', 18], ['random_after_dedup', 1], ['random', 1]]);
  assert.equal(framesOf(arms, 3).get('random'), 1);
});

test('what is counted together is not more than a server counts, nor more names than a term has', () => {
  const many = Array.from({ length: 130 }, (_, n) => ({ name: `s${n}`, picks: 20 }));
  assert.deepEqual(countedTogether(many).map((group) => group.length), [60, 60, 10]);
  assert.deepEqual(countedTogether([{ name: 'a', picks: 9000 }, { name: 'b', picks: 1000 }, { name: 'c', picks: 10_000 }]), [['a'], ['b'], ['c']]);
  assert.deepEqual(countedTogether([]), []);
});

test('what became of a selection is counted, shared and timed, and nothing is divided by nothing', () => {
  const of = (outcome: object) =>
    Object.fromEntries(OUTCOME.map((line) => [line.name, line.of({ clusters: 0, labelled: 0, accepted: 0, corrected: 0, created: 0, classChanged: 0, humanMs: 0n, gone: 0, ...outcome } as unknown as SelectionOutcome)]));
  const said = of({ selection: { picks: 20 }, clusters: 18, labelled: 10, accepted: 6, corrected: 4, humanMs: 42_000n });
  assert.equal(said['Labelled since'], '10 (50\u202f%)');
  assert.equal(said.Accepted, '6 (60\u202f%)');
  assert.equal(said['People’s time'], '42\u202fs');
  assert.equal(said['A label'], '4.2\u202fs');
  const none = of({ selection: { picks: 20 } });
  assert.equal(none.Accepted, '0');
  assert.equal(none['A label'], '–');
});

test('differences stand by what they are about, in one order, and nothing is lost', () => {
  const one = (what: string, value: string) => ({ what, value, from: 1, to: 2 }) as SelectionDifference;
  const kinds = differencesByKind([one('cluster', '7'), { ...one('cluster', '8'), to: 1 }, one('site', 'a'), one('rule', 'x'), one('site', 'b'), one('strategy', 'margin')]);
  assert.deepEqual(kinds.map(({ title, lines }) => [title, lines.map(({ value }) => value)]), [
    ['Strategy', ['margin']],
    ['Site', ['a', 'b']],
    ['Cluster of near-duplicates', ['7']],
    ['rule', ['x']],
  ]);
});

test('addresses lead to a selection, and from it to a set of tasks', () => {
  assert.equal(pageOf('monday'), '/review/selections?name=monday');
  assert.equal(pageOf('monday', { with: 'tuesday' }), '/review/selections?name=monday&with=tuesday');
  const query = new URL(tasksOf({ name: 'monday', schema: 'carts' }), 'http://server.test').searchParams;
  assert.deepEqual([...query], [['make', 'yes'], ['filter', 'selected:monday'], ['schema', 'carts']]);
});
