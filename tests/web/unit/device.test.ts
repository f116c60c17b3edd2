import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problems } from '../../../cloud/web/src/fleet/device';
import type { Device } from '../../../cloud/web/src/gen/gleaner/v1/catalog_pb.js';

test('each fault of a device is one line', () => {
  const device = {
    problem: 'capture: the disk is full; camera front: reconnecting',
    heartbeat: { problem: 'the disk is full' },
    problems: [
      { part: 'capture', text: 'the disk is full' },
      { part: 'camera front', text: 'reconnecting' },
      { part: '', text: 'something else' },
    ],
  } as unknown as Device;
  assert.deepEqual(problems(device), ['capture: the disk is full', 'camera front: reconnecting', 'something else']);
  assert.deepEqual(problems({ ...device, problems: [] }), []);
});
