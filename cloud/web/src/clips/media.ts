import { type MediaCheck, MediaCheck_State } from '../gen/gleaner/v1/catalog_pb.js';
import type { IconName } from '../ui/Icon.svelte';
import type { Tone } from '../ui/Status.svelte';

/** Whether the media worker has still to look. */
export function awaitsCheck(check: MediaCheck | undefined): boolean {
  return check?.state !== MediaCheck_State.OK && check?.state !== MediaCheck_State.FAILED;
}

/** What the media worker found, in the words of the filter language. */
export function mediaState(check: MediaCheck | undefined): { tone: Tone; icon: IconName; word: string; title: string } {
  switch (check?.state) {
    case MediaCheck_State.OK:
      return { tone: 'ok', icon: 'check', word: 'ok', title: 'Every frame decodes and is where the manifest says' };
    case MediaCheck_State.FAILED:
      return { tone: 'bad', icon: 'failed', word: 'failed', title: check.problem };
    default:
      return { tone: 'idle', icon: 'clock', word: 'pending', title: 'The video has not been checked yet' };
  }
}
