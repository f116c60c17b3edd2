import './runes';
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { ClipList } from '../../../cloud/web/src/clips/list.svelte';

/** A server with clips 1 to `arrived`, all of them checked. */
let arrived = 0;
const asked: { filter?: string; arrivedAfter?: string }[] = [];

globalThis.fetch = async (_, init) => {
  const request = JSON.parse(new TextDecoder().decode(init?.body as Uint8Array));
  asked.push(request);
  const after = Number(request.arrivedAfter ?? 0);
  const before = Number(request.pageToken ?? arrived + 1);
  const clips = [];
  for (let n = before - 1; n > after && clips.length < request.pageSize; n--) {
    clips.push({ id: n.toString(16).padStart(20, '0'), media: { state: 'STATE_OK' } });
  }
  const next = before - 1 - clips.length;
  return Response.json({ clips, newest: String(arrived), nextPageToken: next > after ? String(next + 1) : '', total: arrived });
};

beforeEach(() => {
  arrived = 60;
  asked.length = 0;
});

const never = new AbortController().signal;

test('arrivals come in on top', async () => {
  const list = new ClipList();
  await list.load('');
  arrived += 3;
  await list.refresh(never, true);
  assert.equal(list.clips.length, 63);
  assert.equal(list.clips[0].id, (63).toString(16).padStart(20, '0'));
  assert.equal(list.total, 63);
});

test('a page that is left open does not grow for ever', async () => {
  const list = new ClipList();
  await list.load('');
  for (let i = 0; i < 100; i++) {
    arrived += 100;
    await list.refresh(never, true);
    await new Promise(setImmediate); // a list that is loaded anew
    assert.ok(list.clips.length <= 2_000, `${list.clips.length} clips after ${arrived}`);
    assert.equal(list.clips[0].id, arrived.toString(16).padStart(20, '0'));
  }
  assert.equal(list.total, arrived);
  assert.ok(list.hasMore);
});

test('another filter forgets the card that had the focus, another try does not', async () => {
  const list = new ClipList();
  await list.load('device:a');
  list.cursorId = 'x';
  await list.load('device:a', true);
  assert.equal(list.cursorId, 'x');
  await list.load('device:b');
  assert.equal(list.cursorId, '');
});
