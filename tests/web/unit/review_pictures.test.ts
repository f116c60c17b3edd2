import './runes';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { FrameIdSchema } from '../../../cloud/web/src/gen/gleaner/v1/frames_pb.js';
import { MOST_PICTURES, Pictures } from '../../../cloud/web/src/review/pictures';

const id = (pts: number) => create(FrameIdSchema, { clip: 'c', camera: 'front', pts: BigInt(pts) });

function rig() {
  const asked: string[] = [];
  const closed: string[] = [];
  const fail = new Set<string>();
  const pictures = new Pictures(async (url) => {
    asked.push(url);
    if (fail.has(url)) throw new Error('the clip is gone');
    return { close: () => closed.push(url) } as unknown as ImageBitmap;
  });
  return { asked, closed, fail, pictures };
}
const url = (pts: number) => `/frames/c/front/${pts}/picture`;
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('what comes next is decoded before anybody asks for it', async () => {
  const { asked, pictures } = rig();
  pictures.keep([id(1), id(2)]);
  assert.equal(pictures.ready(id(1)), null);
  await settled();
  assert.ok(pictures.ready(id(1)) && pictures.ready(id(2)));
  await pictures.get(id(2));
  assert.deepEqual(asked, [url(1), url(2)], 'each is asked for once');
});

test('what nobody needs any more is let go, also where it comes too late', async () => {
  const { asked, closed, pictures } = rig();
  pictures.keep([id(1), id(2)]);
  pictures.keep([id(2), id(3)]);
  await settled();
  assert.deepEqual(closed, [url(1)]);
  pictures.keep([]);
  assert.deepEqual(closed, [url(1), url(2), url(3)]);
  assert.equal(asked.length, 3);
});

test('it holds a bounded number', async () => {
  const { asked, pictures } = rig();
  pictures.keep(Array.from({ length: 50 }, (_, i) => id(i)));
  await settled();
  assert.equal(asked.length, MOST_PICTURES);
});

test('one that could not be had is tried anew', async () => {
  const { asked, fail, pictures } = rig();
  fail.add(url(1));
  await assert.rejects(pictures.get(id(1)), /the clip is gone/);
  fail.clear();
  await pictures.get(id(1));
  assert.ok(pictures.ready(id(1)));
  assert.deepEqual(asked, [url(1), url(1)]);
});
