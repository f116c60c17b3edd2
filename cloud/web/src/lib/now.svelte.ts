/** The viewer's clock, for ages: moves once a second while the page is visible. */
export const now = $state({ ms: Date.now() });

setInterval(() => {
  if (!document.hidden) now.ms = Date.now();
}, 1000);
