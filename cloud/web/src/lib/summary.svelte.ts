// The head numbers and facets, shared by every view.

import type { GetSummaryResponse } from '../gen/gleaner/v1/catalog_pb.js';
import { catalog } from './api';
import { Poll } from './poll.svelte';

class Summary {
  value = $state.raw<GetSummaryResponse | null>(null);
  readonly poll = new Poll(async (signal) => {
    this.value = await catalog.getSummary({}, { signal });
  }, 2000, ['clips', 'devices']);
}

export const summary = new Summary();
