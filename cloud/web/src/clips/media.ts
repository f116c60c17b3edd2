import { type MediaCheck, MediaCheck_Reason, MediaCheck_State } from '../gen/gleaner/v1/catalog_pb.js';
import type { IconName } from '../ui/Icon.svelte';
import type { Tone } from '../ui/Status.svelte';

/** Whether the media worker has still to look. */
export function awaitsCheck(check: MediaCheck | undefined): boolean {
  return check?.state !== MediaCheck_State.OK && check?.state !== MediaCheck_State.FAILED;
}

/** Why, in the word that the filter language has for it; undefined for no reason and for one that this page doesn't know. */
export function reasonWord(reason: MediaCheck_Reason | undefined): string | undefined {
  const name = reason ? MediaCheck_Reason[reason] : undefined;
  return name?.toLowerCase().replaceAll('_', '-');
}

/** What the media worker found, in the words of the filter language. */
export function mediaState(check: MediaCheck | undefined): { tone: Tone; icon: IconName; word: string; title: string } {
  switch (check?.state) {
    case MediaCheck_State.OK:
      if (check.reason === MediaCheck_Reason.DAMAGED_FRAMES) {
        return { tone: 'warn', icon: 'alert', word: 'damaged-frames', title: check.problem };
      }
      return { tone: 'ok', icon: 'check', word: 'ok', title: 'Frames decode and are where the manifest says' };
    case MediaCheck_State.FAILED:
      return { tone: 'bad', icon: 'failed', word: reasonWord(check.reason) ?? 'failed', title: check.problem };
    default:
      return { tone: 'idle', icon: 'clock', word: 'pending', title: 'The video has not been checked yet' };
  }
}
