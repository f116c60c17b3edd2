// What the page says about a device, in one place for the table, the cards and the drawer.

import { type Device, Device_State } from '../gen/gleaner/v1/catalog_pb.js';
import { type CameraHealth, CameraHealth_State } from '../gen/gleaner/v1/fleet_pb.js';
import { type Tombstone, Tombstone_State } from '../gen/gleaner/v1/ingest_pb.js';
import type { IconName } from '../ui/Icon.svelte';
import type { Tone } from '../ui/Status.svelte';

export interface State {
  tone: Tone;
  icon: IconName;
  word: string;
}

export function deviceState(device: Device): State {
  switch (device.state) {
    case Device_State.ONLINE:
      return { tone: 'ok', icon: 'online', word: 'online' };
    case Device_State.DEGRADED:
      return { tone: 'warn', icon: 'alert', word: 'degraded' };
    case Device_State.OFFLINE:
      return { tone: 'bad', icon: 'offline', word: 'offline' };
    default:
      return { tone: 'idle', icon: 'clock', word: 'unknown' };
  }
}

export function tombstoneState(tombstone: Tombstone): State {
  switch (tombstone.state) {
    case Tombstone_State.EVICTED:
      return { tone: 'warn', icon: 'arrowUp', word: 'evicted' };
    case Tombstone_State.EXPIRED:
      return { tone: 'warn', icon: 'clock', word: 'expired' };
    case Tombstone_State.SUPPRESSED:
      return { tone: 'idle', icon: 'pause', word: 'suppressed' };
    case Tombstone_State.FAILED:
      return { tone: 'bad', icon: 'failed', word: 'failed' };
    default:
      return { tone: 'idle', icon: 'clock', word: 'unknown' };
  }
}

function cameraState(health: CameraHealth | undefined): State {
  switch (health?.state) {
    case CameraHealth_State.STREAMING:
      return { tone: 'ok', icon: 'online', word: 'streaming' };
    case CameraHealth_State.RECONNECTING:
      return { tone: 'warn', icon: 'retry', word: 'reconnecting' };
    case CameraHealth_State.ENDED:
      return { tone: 'idle', icon: 'offline', word: 'ended' };
    default:
      return { tone: 'idle', icon: 'clock', word: 'unknown' };
  }
}

/** A camera as hello describes it and the last heartbeat found it. */
export interface Camera {
  name: string;
  state: State;
  problem: string;
  source: string;
  codec: string;
  size: string;
  encoder: string;
  framesPerS: number;
  frames: bigint;
  decoded: bigint;
}

export function cameras(device: Device): Camera[] {
  const described = device.hello?.cameras ?? [];
  const health = device.heartbeat?.cameras ?? [];
  const names = new Set([...described, ...health].map((camera) => camera.name));
  return [...names].map((name) => {
    const what = described.find((camera) => camera.name === name);
    const how = health.find((camera) => camera.name === name);
    return {
      name,
      state: cameraState(how),
      problem: how?.problem ?? '',
      source: what?.source ?? '',
      codec: what?.codec ?? '',
      size: what?.width ? `${what.width} × ${what.height}` : '',
      encoder: what?.encoder ?? '',
      framesPerS: how?.framesPerS ?? what?.framesPerS ?? 0,
      frames: how?.framesTotal ?? 0n,
      decoded: how?.decodedFramesTotal ?? 0n,
    };
  });
}

/** Numbers that ended without a clip. */
export function dropped(device: Device): bigint {
  const ledger = device.ledger;
  return ledger ? ledger.evicted + ledger.expired + ledger.suppressed + ledger.failed : 0n;
}

/** Each fault once, in a line. */
export function problems(device: Device): string[] {
  return device.problems.map(({ part, text }) => (part ? `${part}: ${text}` : text));
}

type Sortable = string | number | bigint;

/** Columns that the table can be sorted by. */
export const sorts = new Map(
  Object.entries<(device: Device) => Sortable>({
    device: (d) => d.name,
    state: (d) => -d.state,
    site: (d) => d.site,
    seen: (d) => d.lastSeenUnixNs,
    spool: (d) => Number(d.heartbeat?.spool?.usedBytes ?? 0n) / Number(d.heartbeat?.spool?.quotaBytes || 1n),
    waiting: (d) => d.heartbeat?.spool?.pendingClips ?? 0,
    upload: (d) => d.heartbeat?.upload?.rateBytesPerS ?? 0n,
    cpu: (d) => d.heartbeat?.process?.cpuPercent ?? 0,
    memory: (d) => d.heartbeat?.process?.rssBytes ?? 0n,
    clips: (d) => d.clips,
    fired: (d) => d.ledger?.fired ?? 0n,
    committed: (d) => d.ledger?.committed ?? 0n,
    pending: (d) => d.ledger?.pending ?? 0n,
    dropped,
    gaps: (d) => d.ledger?.gaps ?? 0n,
  }),
);

/** `sort` is a column's name, with "-" for the largest first; anything else leaves the server's order, by name. */
export function sorted(devices: Device[], sort: string): Device[] {
  const down = sort.startsWith('-');
  const by = sorts.get(down ? sort.slice(1) : sort);
  if (!by) return devices;
  const order = (a: Device, b: Device) => {
    const [x, y] = [by(a), by(b)];
    return x < y ? -1 : x > y ? 1 : 0;
  };
  return [...devices].sort((a, b) => (down ? -order(a, b) : order(a, b)) || (a.name < b.name ? -1 : 1));
}
