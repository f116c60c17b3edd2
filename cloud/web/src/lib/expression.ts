// The lines that a rule's expression draws through a plot: comparisons of a signal with a number, wherever they stand.

export interface Threshold {
  operator: '<' | '<=' | '>' | '>=';
  value: number;
}

const NUMBER = String.raw`-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?`;
const NAME = String.raw`[A-Za-z_][\w.-]*`;
const MIRROR = { '<': '>', '<=': '>=', '>': '<', '>=': '<=' } as const;

/** `signal` may be longer than what the expression says: "camera.front.motion" is also known as "motion". */
export function thresholds(expression: string, signal: string): Threshold[] {
  const found: Threshold[] = [];
  const add = (name: string, operator: Threshold['operator'], value: number) => {
    if (name !== signal && !signal.endsWith(`.${name}`)) return;
    if (!found.some((other) => other.value === value)) found.push({ operator, value });
  };
  for (const match of expression.matchAll(new RegExp(`(${NAME})\\s*(<=|>=|<|>)\\s*(${NUMBER})`, 'g'))) {
    add(match[1], match[2] as Threshold['operator'], Number(match[3]));
  }
  for (const match of expression.matchAll(new RegExp(`(?<![\\w.])(${NUMBER})\\s*(<=|>=|<|>)\\s*(${NAME})`, 'g'))) {
    add(match[3], MIRROR[match[2] as Threshold['operator']], Number(match[1]));
  }
  return found;
}

/** The value of a step function at `us`; NaN before its first point. */
export function valueAt(offsetUs: number[], value: number[], us: number): number {
  let low = 0;
  let high = offsetUs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (offsetUs[middle] <= us) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? NaN : value[low - 1];
}
