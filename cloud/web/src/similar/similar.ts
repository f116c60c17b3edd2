// What is alike, in words.

import type { SimilarFrame } from '../gen/gleaner/v1/similar_pb.js';

/** A cosine as people read it: "0.94"; what is below nothing in common is that. */
export function score(cosine: number): string {
  return Math.max(0, cosine).toFixed(2);
}

/** What a screen reader says of a frame that was found. */
export function similarLabel(one: SimilarFrame): string {
  const frame = one.frame;
  const site = frame?.site ? `, ${frame.site}` : '';
  return `${frame?.device ?? ''}${site}, camera ${frame?.id?.camera ?? ''}: ${score(one.score)} alike`;
}
