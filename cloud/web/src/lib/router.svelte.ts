// The address bar is the page's state: a view reads its path and query here and writes them here.

class Router {
  path = $state(location.pathname);
  query = $state.raw(new URLSearchParams(location.search));

  constructor() {
    addEventListener('popstate', () => this.#read());
    document.addEventListener('click', (event) => this.#click(event));
  }

  /** The filter's text: the one part of the query that goes along from view to view. */
  get filter(): string {
    return this.query.get('q') ?? '';
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
    for (const [key, value] of Object.entries(changes)) query.set(key, value ?? '');
    const to = href(this.path, query);
    if (to !== href(this.path, this.query)) this.go(to, replace);
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
    if (event.defaultPrevented || !isPlain(event)) return;
    const link = (event.target as Element).closest('a');
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
    if (link.pathname.startsWith('/media/')) return;
    event.preventDefault();
    const to = link.pathname + link.search;
    this.go(to, to === location.pathname + location.search);
  }
}

/** Without the keys and buttons by which a browser opens a link elsewhere. */
export function isPlain(event: MouseEvent): boolean {
  return event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
}

/**
 * An address with the parts of the query that say something; those that are '' are left out. Filters are full of colons
 * and commas, which may stand in a query as they are: shared links stay readable.
 */
export function href(path: string, query: URLSearchParams | Record<string, string>): string {
  const told = [...new URLSearchParams(query)].filter(([, value]) => value !== '');
  const text = new URLSearchParams(told).toString().replaceAll('%3A', ':').replaceAll('%2C', ',');
  return text ? `${path}?${text}` : path;
}

export const router = new Router();
