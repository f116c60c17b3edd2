/** Whether the server wants a token before it says anything. */
export const session = $state({ needed: false });
