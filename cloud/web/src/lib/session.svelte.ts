import type { Role } from '../gen/gleaner/v1/role_pb.js';

/**
 * Whether the server wants a token before it says anything; a sentence why, for who was let in until now; and who asks,
 * as the server sees it, null until it has said so.
 */
export const session = $state<{ needed: boolean; why: string; who: { name: string; role: Role } | null }>({
  needed: false,
  why: '',
  who: null,
});

/** What a role may not do isn't offered; whether it may is the server's to say in the end. */
export function may(least: Role): boolean {
  return session.who !== null && session.who.role >= least;
}
