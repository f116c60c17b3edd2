// What was said and is on its way to the server. It is the page's, not a view's: nothing is lost by going elsewhere on the
// page, and nobody waits for the server before the next picture.
//
// One call at a time, in the order in which they were made: what is saved is saved before more is taken or given back.

import type { MessageInitShape } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import type { Label } from '../gen/gleaner/v1/annotation_pb.js';
import type { SaveLabelRequestSchema } from '../gen/gleaner/v1/label_pb.js';
import { describe, type Problem } from '../lib/api';

export type Save = MessageInitShape<typeof SaveLabelRequestSchema>;

/** A label that the server did not take, and why. */
export interface Refused {
  key: number;
  save: Save;
  /** The label as one without a task. */
  alone: Save;
  /** What it says, in words. */
  words: string;
  problem: Problem;
}

const FIRST_WAIT_MS = 1_000;
const MAX_WAIT_MS = 15_000;

/** Whether the same call may have more luck later. */
export function isPassing(error: unknown): boolean {
  const { code, cause } = ConnectError.from(error);
  return (
    [Code.Unavailable, Code.DeadlineExceeded, Code.Aborted, Code.ResourceExhausted, Code.Unauthenticated, Code.Internal].includes(code) ||
    (code === Code.Unknown && (cause instanceof TypeError || cause === undefined))
  );
}

export class Outbox {
  /** Labels that the server has not confirmed yet. */
  waiting = $state(0);
  refused = $state.raw<Refused[]>([]);
  /** Why nothing gets through just now. */
  problem = $state.raw<Problem | null>(null);
  #last: Promise<unknown> = Promise.resolve();
  #keys = 0;

  constructor(
    private readonly send: (save: Save) => Promise<Label | undefined>,
    private readonly sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)),
  ) {}

  /** Runs after everything before it has run, whatever came of that. */
  after<T>(run: () => Promise<T>): Promise<T> {
    const next = this.#last.then(run, run);
    this.#last = next.catch(() => {});
    return next;
  }

  /** Sent in its turn, as often as it takes. Never fails: what the server refuses is in `refused`. */
  save(save: Save, alone: Save, words: string): Promise<Label | undefined> {
    this.waiting++;
    return this.after(async () => {
      try {
        return await this.#try(() => this.send(save));
      } catch (error) {
        this.refused = [...this.refused, { key: this.#keys++, save, alone, words, problem: describe(error) }];
        return undefined;
      } finally {
        this.waiting--;
      }
    });
  }

  drop(key: number) {
    this.refused = this.refused.filter((one) => one.key !== key);
  }

  /** Saves what was refused without its task. */
  saveAlone(key: number) {
    const found = this.refused.find((one) => one.key === key);
    if (!found) return;
    this.drop(key);
    void this.save(found.alone, found.alone, found.words);
  }

  async #try<T>(run: () => Promise<T>): Promise<T> {
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, MAX_WAIT_MS)) {
      try {
        const answer = await run();
        this.problem = null;
        return answer;
      } catch (error) {
        if (!isPassing(error)) {
          this.problem = null;
          throw error;
        }
        this.problem = describe(error);
        await this.sleep(waitMs);
      }
    }
  }
}
