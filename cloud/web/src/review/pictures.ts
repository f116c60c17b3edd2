// Pictures of the tasks ahead, fetched and decoded before anybody asks for them: what is shown next only has to be drawn.

import type { FrameId } from '../gen/gleaner/v1/frames_pb.js';
import { media } from '../lib/api';

/** A camera's picture at full size takes some tens of megabytes once decoded: so many at once. */
export const MOST_PICTURES = 6;

export type Load = (url: string) => Promise<ImageBitmap>;

/** The server decodes so many at once; how often and how long one waits for its turn. */
const BUSY = [429, 503];
const TRIES = 20;
const BUSY_MS = 500;

async function load(url: string): Promise<ImageBitmap> {
  let response = await fetch(url);
  for (let tries = 1; BUSY.includes(response.status) && tries < TRIES; tries++) {
    await new Promise((resolve) => setTimeout(resolve, BUSY_MS));
    response = await fetch(url);
  }
  if (!response.ok) {
    const said = (await response.text()).trim().slice(0, 300);
    throw new Error(said || `The server answered ${response.status}.`);
  }
  return createImageBitmap(await response.blob());
}

interface Entry {
  bitmap: ImageBitmap | null;
  loading: Promise<ImageBitmap>;
}

export const keyOf = (id: FrameId | undefined) => `${id?.clip}/${id?.camera}/${id?.pts}`;

export class Pictures {
  private readonly entries = new Map<string, Entry>();

  constructor(private readonly load_: Load = load) {}

  /** What is decoded already. */
  ready(id: FrameId | undefined): ImageBitmap | null {
    return this.entries.get(keyOf(id))?.bitmap ?? null;
  }

  /** Waits until it is decoded; one that could not be had is tried anew when asked for again. */
  get(id: FrameId | undefined): Promise<ImageBitmap> {
    const key = keyOf(id);
    const known = this.entries.get(key);
    if (known) return known.loading;
    const entry: Entry = {
      bitmap: null,
      loading: this.load_(media.framePicture(id?.clip ?? '', id?.camera ?? '', id?.pts ?? 0n)).then(
        (bitmap) => {
          if (this.entries.get(key) === entry) entry.bitmap = bitmap;
          else bitmap.close();
          return bitmap;
        },
        (error: unknown) => {
          if (this.entries.get(key) === entry) this.entries.delete(key);
          throw error;
        },
      ),
    };
    this.entries.set(key, entry);
    return entry.loading;
  }

  /** Keeps the pictures of these alone, at most MOST_PICTURES, and begins to load what is missing; the first ones first. */
  keep(ids: (FrameId | undefined)[]) {
    const wanted = ids.slice(0, MOST_PICTURES);
    const keys = new Set(wanted.map(keyOf));
    for (const [key, entry] of this.entries) {
      if (keys.has(key)) continue;
      this.entries.delete(key);
      entry.bitmap?.close();
    }
    for (const id of wanted) this.get(id).catch(() => {});
  }
}
