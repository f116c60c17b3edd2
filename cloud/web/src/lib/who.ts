// Who is signed in, asked again now and then: what a token may can change while the page is open.

import { whoAmI } from './api';
import { Poll } from './poll.svelte';

export const who = new Poll(whoAmI, 60_000, []);
