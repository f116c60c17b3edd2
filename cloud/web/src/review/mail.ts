// The page's one outbox, and what the browser has to know of it.

import { labels } from '../lib/api';
import { Outbox } from './outbox.svelte';

export const outbox = new Outbox(async (save) => (await labels.saveLabel(save)).label);

addEventListener('beforeunload', (event) => {
  if (outbox.waiting > 0 || outbox.refused.length > 0) event.preventDefault();
});
