// One place for keys: a view lends its bindings while it is shown, and the help lists exactly what works now.

import { SvelteSet } from 'svelte/reactivity';

export interface Binding {
  /** KeyboardEvent.key values that do the same; with Ctrl or ⌘ held, after "ctrl+". */
  keys: string[];
  /** What it does, for the help; nothing for a second way to the same. */
  label?: string;
  /** Returns false where the key has nothing to do just now: the browser keeps it. */
  run: (event: KeyboardEvent) => boolean | void;
}

export interface Scope {
  title: string;
  bindings: Binding[];
}

/** Later scopes come first. */
export const scopes = new SvelteSet<Scope>();

/** For an $effect: the bindings hold until it is torn down. */
export function lend(title: string, bindings: Binding[]): () => void {
  const scope = { title, bindings };
  scopes.add(scope);
  return () => scopes.delete(scope);
}

function typing(target: EventTarget | null): boolean {
  const element = target as HTMLElement | null;
  return !!element?.closest?.('input:not([type=checkbox]), textarea, select, [contenteditable]');
}

addEventListener('keydown', (event) => {
  if (event.defaultPrevented || event.altKey) return;
  const key = event.ctrlKey || event.metaKey ? `ctrl+${event.key}` : event.key;
  if (typing(event.target)) return;
  // A focused control keeps the keys that work it.
  const control = { ' ': 'button, summary, label, input', Enter: 'a[href], button, summary, label, input' }[event.key];
  if (control && (event.target as HTMLElement).closest?.(control)) return;
  for (const scope of [...scopes].reverse()) {
    for (const binding of scope.bindings) {
      if (binding.keys.includes(key) && binding.run(event) !== false) {
        event.preventDefault();
        return;
      }
    }
  }
});
