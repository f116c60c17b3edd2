import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Job_State, type Job, type JobCount } from '../../../cloud/web/src/gen/gleaner/v1/jobs_pb.js';
import { canCancel, canRetry, countOf, hasEnded, outcomeOf, pageOf, refusalOf, sinceOf, stateOf } from '../../../cloud/web/src/jobs/job';

const job = (state: Job_State, more: object = {}) =>
  ({ state, attempts: 0, progress: 0, doing: '', result: 'r', error: 'e', createdUnixNs: 1n, startedUnixNs: 2n, endedUnixNs: 0n, ...more }) as Job;

test('a job says how far it is, or what came of it', () => {
  assert.equal(outcomeOf(job(Job_State.RUNNING, { progress: 0.5, doing: 'halfway' })), '50\u202f%, halfway');
  assert.equal(outcomeOf(job(Job_State.RUNNING)), '');
  assert.equal(outcomeOf(job(Job_State.DONE)), 'r');
  assert.equal(outcomeOf(job(Job_State.FAILED)), 'e');
});

test('what runs and what waits can be cancelled, what failed or was cancelled can be tried again', () => {
  const able = (one: Job) => [canCancel(one), canRetry(one)];
  assert.deepEqual(able(job(Job_State.WAITING)), [true, false]);
  assert.deepEqual(able(job(Job_State.RUNNING)), [true, false]);
  assert.deepEqual(able(job(Job_State.RUNNING, { cancelRequested: true })), [false, false]);
  assert.deepEqual(able(job(Job_State.DONE)), [false, false]);
  assert.deepEqual(able(job(Job_State.FAILED)), [false, true]);
  assert.deepEqual(able(job(Job_State.CANCELLED)), [false, true]);
});

test('a state has a word, and the time since it began', () => {
  assert.equal(stateOf(job(Job_State.WAITING)).word, 'waiting');
  assert.equal(stateOf(job(Job_State.WAITING, { attempts: 1 })).word, 'waiting again');
  assert.equal(stateOf(job(Job_State.RUNNING, { cancelRequested: true })).word, 'ending');
  assert.equal(stateOf(job(99 as Job_State)).word, 'unknown');
  assert.equal(sinceOf(job(Job_State.WAITING)), 1n);
  assert.equal(sinceOf(job(Job_State.RUNNING)), 2n);
  assert.equal(sinceOf(job(Job_State.DONE, { endedUnixNs: 3n })), 3n);
});

test('jobs are counted over all kinds or one', () => {
  const counts = [
    { kind: 'a', waiting: 1n, running: 2n, failed: 0n },
    { kind: 'b', waiting: 10n, running: 0n, failed: 3n },
  ] as JobCount[];
  assert.equal(countOf(counts, 'waiting', ''), 11);
  assert.equal(countOf(counts, 'waiting', 'a'), 1);
  assert.equal(countOf(counts, 'failed', ''), 3);
  assert.equal(countOf(counts, 'done', ''), undefined);
});

test('a job that came to nothing says why in its own words', () => {
  const leaks = { error: 'the dataset leaks: …' };
  assert.equal(refusalOf(job(Job_State.FAILED, leaks)), 'the dataset leaks: …');
  assert.equal(refusalOf(job(Job_State.CANCELLED)), 'It was cancelled.');
  assert.equal(refusalOf(job(Job_State.RUNNING)), '');
  assert.equal(hasEnded(job(Job_State.RUNNING)), false);
  assert.equal(hasEnded(job(Job_State.DONE)), true);
});

test('what a job is about has a page, where there is one', () => {
  assert.equal(pageOf(job(Job_State.DONE, { kind: 'select', subject: 'monday' })), '/review/selections?name=monday');
  assert.equal(pageOf(job(Job_State.DONE, { kind: 'dataset-freeze', subject: 'first' })), '/datasets?name=first');
  assert.equal(pageOf(job(Job_State.DONE, { kind: 'model-ssd', subject: 'x' })), '');
});
