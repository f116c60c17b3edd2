import './runes';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { Label_Verdict, LabelSchema_Kind, LabelSchemaSchema } from '../../../cloud/web/src/gen/gleaner/v1/annotation_pb.js';
import { ReviewTaskSchema, TaskSetSchema } from '../../../cloud/web/src/gen/gleaner/v1/label_task_pb.js';
import { Desk } from '../../../cloud/web/src/review/desk.svelte';
import { Outbox, type Save } from '../../../cloud/web/src/review/outbox.svelte';
import { Pictures } from '../../../cloud/web/src/review/pictures';

const schema = create(LabelSchemaSchema, { name: 'carts', version: 1, kind: LabelSchema_Kind.BOXES, classes: [{ id: 1, name: 'bottle' }] });
const settled = async () => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
};

/** A server with tasks from `first` on, of which each is one person's until it is saved. */
function rig(first: number) {
  const saved: Save[] = [];
  const returned: bigint[] = [];
  const skipped: bigint[] = [];
  const server = { open: Array.from({ length: 10 }, (_, i) => BigInt(first + i)), leaseNs: 100n, takes: 0, fail: false };
  const task = (number: bigint) =>
    create(ReviewTaskSchema, {
      number, schema: 'carts', schemaVersion: 1, leaseUnixNs: server.leaseNs,
      frame: { id: { clip: 'c', camera: 'front', pts: number } },
      prelabel: { boxes: [{ x: 0.1, y: 0.1, width: 0.2, height: 0.2, classId: 1, confidence: 0.9 }] },
    });
  const service = {
    takeTasks: async ({ most }: { most: number }) => {
      server.takes++;
      if (server.fail) throw new ConnectError('it rests', Code.Unavailable);
      server.leaseNs++;
      return { tasks: server.open.slice(0, most).map(task) };
    },
    getSchema: async () => ({ schema }),
    getTaskSet: async () => ({ set: create(TaskSetSchema, { number: 1n, schema: 'carts', open: server.open.length }) }),
    skipTask: async ({ number }: { number: bigint }) => void (skipped.push(number), (server.open = server.open.filter((one) => one !== number))),
    returnTasks: async ({ leaseUnixNs }: { leaseUnixNs: bigint }) => void returned.push(leaseUnixNs),
  };
  const outbox = new Outbox(async (save) => {
    saved.push(save);
    server.open = server.open.filter((one) => one !== save.task);
    return undefined;
  });
  const pictures = new Pictures(async () => ({ close: () => {}, width: 4, height: 3 }) as unknown as ImageBitmap);
  const make = () => new Desk(create(TaskSetSchema, { number: 1n, schema: 'carts', open: 10 }), service as never, outbox, pictures);
  return { server, saved, returned, skipped, outbox, make };
}

test('one task is in hand, and the picture of the next is decoded before a key is pressed', async () => {
  const { make, saved } = rig(100);
  const desk = make();
  const close = desk.open();
  await settled();
  assert.equal(desk.work?.number, 100n);
  assert.ok(desk.picture);
  assert.equal(desk.nextReady, true);
  desk.accept();
  assert.equal(desk.work?.number, 101n, 'at once, whatever the server takes');
  assert.ok(desk.picture, 'and so is its picture');
  await settled();
  assert.deepEqual(saved.map(({ task, verdict, annotation }) => [task, verdict, annotation]), [[100n, Label_Verdict.ACCEPTED, undefined]]);
  close();
});

test('whatever the order of answers, no task comes twice', async () => {
  const { make, saved, server } = rig(200);
  const desk = make();
  const close = desk.open();
  await settled();
  const seen: bigint[] = [];
  while (desk.work || !desk.empty) {
    if (desk.work && desk.picture) {
      seen.push(desk.work.number);
      desk.reject();
      // Sometimes faster than the server.
      if (seen.length % 3 === 0) await settled();
    } else await settled();
  }
  await settled();
  assert.deepEqual(seen, Array.from({ length: 10 }, (_, i) => BigInt(200 + i)));
  assert.equal(saved.length, 10);
  assert.equal(server.open.length, 0);
  close();
});

test('a changed pre-label is not accepted by a slip of the finger', async () => {
  const { make, saved } = rig(300);
  const desk = make();
  const close = desk.open();
  await settled();
  desk.work?.remove(0);
  desk.accept();
  assert.equal(desk.work?.number, 300n);
  assert.match(desk.note, /You changed something/);
  desk.save();
  await settled();
  assert.equal(saved[0].verdict, Label_Verdict.REJECTED, 'nothing is left of it');
  close();
});

test('on leaving, tasks are given back after what is on its way, those taken again elsewhere excepted', async () => {
  const { make, saved, returned, server } = rig(400);
  const desk = make();
  const close = desk.open();
  await settled();
  desk.accept();
  close();
  await settled();
  assert.equal(saved.length, 1);
  assert.deepEqual(returned, [server.leaseNs], 'up to the hold that this desk knew');
});

test('what was begun is there when the task comes back', async () => {
  const { make } = rig(500);
  const first = make();
  const leave = first.open();
  await settled();
  first.work?.add({ x: 0, y: 0, width: 0.5, height: 0.5 }, 1);
  leave();
  await settled();
  const second = make();
  const close = second.open();
  await settled();
  assert.equal(second.work?.number, 500n);
  assert.equal(second.work?.said.boxes.length, 2);
  assert.match(second.note, /You had begun/);
  second.work?.undo();
  assert.equal(second.work?.changed, false, 'also what it was before');
  close();
});

test('who comes back to a task that others may have by now keeps the work, and is told', async () => {
  const { make, server } = rig(600);
  const desk = make();
  const close = desk.open();
  await settled();
  desk.work?.add({ x: 0, y: 0, width: 0.5, height: 0.5 }, 1);
  server.open = server.open.filter((number) => number !== 600n);
  await desk.take();
  assert.equal(desk.work?.number, 600n);
  assert.equal(desk.work?.said.boxes.length, 2);
  assert.equal(desk.lapsed, true);
  desk.save();
  assert.equal(desk.lapsed, false);
  close();
});

test('the last one comes once more, without its task, and the one in hand after it', async () => {
  const { make, saved } = rig(700);
  const desk = make();
  const close = desk.open();
  await settled();
  desk.accept();
  await settled();
  desk.reopen();
  assert.equal(desk.work?.again, true);
  await settled();
  desk.work?.classify(0, 1);
  desk.save();
  await settled();
  assert.equal(desk.work?.number, 701n);
  assert.deepEqual([saved[1].task, saved[1].verdict, saved[1].frame?.pts], [undefined, Label_Verdict.CREATED, 700n]);
  close();
});

test('a task is put aside with its reason, and the next one is there', async () => {
  const { make, skipped } = rig(800);
  const desk = make();
  const close = desk.open();
  await settled();
  await desk.skip('too dark');
  await settled();
  assert.deepEqual(skipped, [800n]);
  assert.equal(desk.work?.number, 801n);
  assert.equal(desk.skipped, 1);
  close();
});

test('where no tasks can be had, it says why', async () => {
  const { make, server } = rig(900);
  server.fail = true;
  const desk = make();
  const close = desk.open();
  await settled();
  assert.equal(desk.problem?.detail, 'It rests');
  server.fail = false;
  await desk.take();
  assert.equal(desk.problem, null);
  assert.equal(desk.work?.number, 900n);
  close();
});
