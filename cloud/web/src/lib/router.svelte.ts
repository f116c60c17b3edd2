// The address bar is the page's state: a view reads its path and query here and writes them here.

class Router {
  path = $state(location.pathname);
  query = $state.raw(new URLSearchParams(location.search));

  constructor() {
    addEventListener('popstate', () => this.#read());
    document.addEventListener('click', (event) => this.#click(event));
  }

  /** Opens `href`, an address on this page. */
  go(href: string, replace = false) {
    const from = replace ? (history.state?.from ?? null) : this.path;
    if (replace) history.replaceState({ from }, '', href);
    else history.pushState({ from }, '', href);
    this.#read();
  }

  /** Changes parts of the query; null and '' take a part out. */
  set(changes: Record<string, string | null>, replace = false) {
    const query = new URLSearchParams(this.query);
    for (const [key, value] of Object.entries(changes)) {
      if (value) query.set(key, value);
      else query.delete(key);
    }
    if (query.toString() !== this.query.toString()) this.go(href(this.path, query), replace);
  }

  /** Back to `target`: by the browser's own history where that is where we came from, so that its scroll place is kept. */
  back(target: string) {
    if (history.state?.from === target.split('?')[0]) history.back();
    else this.go(target);
  }

  #read() {
    this.path = location.pathname;
    this.query = new URLSearchParams(location.search);
  }

  #click(event: MouseEvent) {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element).closest('a');
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
    if (link.pathname.startsWith('/media/')) return;
    event.preventDefault();
    this.go(link.pathname + link.search);
  }
}

/** Filters are full of colons and commas, which may stand in a query as they are: shared links stay readable. */
export function href(path: string, query: URLSearchParams | Record<string, string>): string {
  const text = new URLSearchParams(query).toString().replaceAll('%3A', ':').replaceAll('%2C', ',');
  return text ? `${path}?${text}` : path;
}

export const router = new Router();
