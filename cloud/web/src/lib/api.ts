// The server, as the page sees it: its services over Connect-JSON on the same origin, and errors in words for people.

import { Code, ConnectError, createClient, type Interceptor } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-web';
import { AccessService } from '../gen/gleaner/v1/access_pb.js';
import { CatalogService } from '../gen/gleaner/v1/catalog_pb.js';
import { CurateService } from '../gen/gleaner/v1/curate_pb.js';
import { DatasetService } from '../gen/gleaner/v1/dataset_pb.js';
import { FilterService } from '../gen/gleaner/v1/filter_pb.js';
import { FrameService } from '../gen/gleaner/v1/frames_pb.js';
import { JobsService } from '../gen/gleaner/v1/jobs_pb.js';
import { LabelService } from '../gen/gleaner/v1/label_pb.js';
import { ModelService } from '../gen/gleaner/v1/model_pb.js';
import { SimilarService } from '../gen/gleaner/v1/similar_pb.js';
import { session } from './session.svelte';

const TIMEOUT_MS = 15_000;

const noticeLogin: Interceptor = (next) => async (request) => {
  try {
    const response = await next(request);
    session.needed = false;
    return response;
  } catch (error) {
    if (ConnectError.from(error).code === Code.Unauthenticated) {
      if (session.who) {
        session.why =
          session.who.name === 'local'
            ? 'The server wants a token by now: somebody made the first.'
            : 'You were signed out: your token was revoked, or this sign-in ran out.';
      }
      session.who = null;
      session.needed = true;
    }
    throw error;
  }
};

const transport = createConnectTransport({
  baseUrl: location.origin,
  useBinaryFormat: false,
  defaultTimeoutMs: TIMEOUT_MS,
  interceptors: [noticeLogin],
});

export const catalog = createClient(CatalogService, transport);
export const curate = createClient(CurateService, transport);
export const datasets = createClient(DatasetService, transport);
export const filters = createClient(FilterService, transport);
export const frames = createClient(FrameService, transport);
export const jobs = createClient(JobsService, transport);
export const labels = createClient(LabelService, transport);
export const models = createClient(ModelService, transport);
export const similar = createClient(SimilarService, transport);
const access = createClient(AccessService, transport);

export interface Problem {
  kind: 'invalid' | 'missing' | 'login' | 'other';
  what: string;
  detail: string;
}

export function describe(error: unknown): Problem {
  const { code, rawMessage } = ConnectError.from(error);
  const detail = rawMessage.charAt(0).toUpperCase() + rawMessage.slice(1);
  switch (code) {
    case Code.InvalidArgument:
      return { kind: 'invalid', what: 'The server does not understand what was asked', detail };
    case Code.NotFound:
      return { kind: 'missing', what: 'There is no such thing here', detail };
    case Code.Unauthenticated:
      return { kind: 'login', what: 'The server wants a token', detail };
    case Code.PermissionDenied:
      return { kind: 'other', what: 'This is not for you to do', detail };
    case Code.DeadlineExceeded:
      return { kind: 'other', what: 'The server is too slow', detail: `No answer within ${TIMEOUT_MS / 1000} s.` };
  }
  // What fetch says when nothing answers differs by browser; none of it helps anyone.
  const unreachable = code === Code.Unknown && error instanceof ConnectError && error.cause instanceof TypeError;
  if (unreachable || /failed to fetch|networkerror|load failed/i.test(rawMessage)) {
    return { kind: 'other', what: 'The server can’t be reached', detail: `Nothing answers at ${location.host}.` };
  }
  return { kind: 'other', what: 'The server could not answer', detail };
}

export function isAbort(error: unknown): boolean {
  return ConnectError.from(error).code === Code.Canceled;
}

/** Exchanges a token for a session cookie; a sentence for people where that fails, null where it works. */
export async function login(token: string): Promise<string | null> {
  let response: Response;
  try {
    response = await fetch('/login', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    return `Nothing answers at ${location.host}. Is the server running?`;
  }
  if (response.ok) return null;
  if (response.status === 401 || response.status === 403) return 'This token opens nothing here: it may have been revoked.';
  return `The server answered ${response.status}. Try again in a moment.`;
}

/** Asks who we are, for the session. */
export async function whoAmI(signal: AbortSignal): Promise<void> {
  const { name, role } = await access.whoAmI({}, { signal });
  session.who = { name, role };
}

export async function logout(): Promise<void> {
  try {
    await fetch('/logout', { method: 'POST', headers: { 'content-type': 'application/json' }, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } finally {
    session.who = null;
    session.why = '';
    session.needed = true;
  }
}

export const media = {
  preview: (id: string) => `/media/${id}/preview`,
  thumbnail: (id: string, n: number) => `/media/${id}/thumbnails/${n}`,
  video: (id: string, n: number) => `/media/${id}/video/${n}`,
  samples: (id: string) => `/media/${id}/samples`,
  frameThumbnail: (id: string, camera: string, pts: bigint) => `/frames/${id}/${camera}/${pts}/thumbnail`,
  framePicture: (id: string, camera: string, pts: bigint) => `/frames/${id}/${camera}/${pts}/picture`,
  manifest: (id: string) => `/media/${id}/manifest`,
};
