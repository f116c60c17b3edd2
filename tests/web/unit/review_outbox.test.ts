import './runes';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import { isPassing, Outbox, type Save } from '../../../cloud/web/src/review/outbox.svelte';

const save = (task: bigint): Save => ({ task });
const lost = () => new ConnectError('task 2 is not yours (any more): take another', Code.FailedPrecondition);
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('labels are sent one after the other, in their order', async () => {
  const sent: unknown[] = [];
  let let_through = () => {};
  const outbox = new Outbox(async ({ task }) => {
    sent.push(task);
    if (task === 1n) await new Promise<void>((resolve) => (let_through = resolve));
    return undefined;
  });
  void outbox.save(save(1n), save(0n), '');
  const second = outbox.save(save(2n), save(0n), '');
  const after = outbox.after(async () => sent.push('take'));
  await settled();
  assert.deepEqual(sent, [1n]);
  assert.equal(outbox.waiting, 2);
  let_through();
  await Promise.all([second, after]);
  assert.deepEqual(sent, [1n, 2n, 'take']);
  assert.equal(outbox.waiting, 0);
});

test('a server that is away is tried until it answers, and nobody waits forever between', async () => {
  const waits: number[] = [];
  let tries = 0;
  const outbox = new Outbox(
    async () => {
      if (++tries < 8) throw new ConnectError('failed to fetch', Code.Unavailable);
      return undefined;
    },
    async (ms) => {
      waits.push(ms);
      assert.ok(outbox.problem, 'why nothing gets through is told');
    },
  );
  await outbox.save(save(1n), save(0n), '');
  assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
  assert.equal(outbox.problem, null);
  assert.deepEqual(outbox.refused, []);
});

test('a task that is somebody else’s by now costs nobody the work: it is kept, saved without the task, or dropped', async () => {
  const sent: unknown[] = [];
  const outbox = new Outbox(async ({ task }) => {
    sent.push(task);
    if (task === 2n) throw lost();
    return undefined;
  });
  await outbox.save(save(2n), { task: 0n, schema: 'carts' }, 'bottle');
  await outbox.save(save(3n), save(0n), '');
  assert.equal(outbox.refused.length, 1);
  assert.equal(outbox.refused[0].words, 'bottle');
  assert.match(outbox.refused[0].problem.detail, /not yours/);
  outbox.saveAlone(outbox.refused[0].key);
  await settled();
  assert.deepEqual(sent, [2n, 3n, 0n]);
  assert.equal(outbox.refused.length, 0);
  await outbox.save(save(2n), save(0n), '');
  outbox.drop(outbox.refused[0].key);
  assert.equal(outbox.refused.length, 0);
});

test('what fails leaves the way free for what comes after it', async () => {
  const outbox = new Outbox(async () => undefined);
  await assert.rejects(outbox.after(() => Promise.reject(lost())));
  assert.equal(await outbox.after(async () => 7), 7);
});

test('only what may pass by itself is tried again', () => {
  for (const code of [Code.Unavailable, Code.DeadlineExceeded, Code.ResourceExhausted, Code.Unauthenticated]) {
    assert.ok(isPassing(new ConnectError('', code)), String(code));
  }
  for (const code of [Code.FailedPrecondition, Code.InvalidArgument, Code.NotFound, Code.PermissionDenied]) {
    assert.ok(!isPassing(new ConnectError('', code)), String(code));
  }
  assert.ok(isPassing(new TypeError('Failed to fetch')));
});
