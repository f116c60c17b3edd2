// JSON for reading: long arrays of numbers stay on one line and say how many more there are.

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const SHOWN = 12;

export function readableJson(value: Json, indent = ''): string {
  const deeper = `${indent}  `;
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]';
    if (value.every((item) => item === null || typeof item !== 'object')) {
      const shown = value.slice(0, SHOWN).map((item) => JSON.stringify(item));
      const rest = value.length - shown.length;
      return `[${shown.join(', ')}${rest > 0 ? `, … ${rest} more` : ''}]`;
    }
    return `[\n${value.map((item) => deeper + readableJson(item, deeper)).join(',\n')}\n${indent}]`;
  }
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value);
    if (entries.length === 0) return '{}';
    const lines = entries.map(([key, item]) => `${deeper}${JSON.stringify(key)}: ${readableJson(item, deeper)}`);
    return `{\n${lines.join(',\n')}\n${indent}}`;
  }
  return JSON.stringify(value);
}
