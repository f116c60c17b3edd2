// Numbers and times as people read them. Sizes are in the units of configurations and commands
// (1 KiB = 1,024 B); every number keeps its unit.

const THIN = '\u202f';
const grouped = new Intl.NumberFormat('en');

export function count(n: number | bigint): string {
  return grouped.format(n);
}

/** Three significant digits at most: "0 B", "4.21 KiB", "38.6 MiB", "256 MiB"; a round one as round as it is. */
export function bytes(n: number | bigint): string {
  let value = Number(n);
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  if (Number.isInteger(value)) return `${value}${THIN}${units[unit]}`;
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)}${THIN}${units[unit]}`;
}

export function rate(bytesPerSecond: number | bigint): string {
  return `${bytes(bytesPerSecond)}/s`;
}

/** Of a part in a whole, both counted: "0 %", "0.4 %", "31 %". */
export function share(part: number | bigint, whole: number | bigint): string {
  const all = Number(whole);
  return all > 0 ? percent((100 * Number(part)) / all) : '–';
}

export function percent(value: number): string {
  return `${value !== 0 && value < 10 ? value.toFixed(1) : Math.round(value)}${THIN}%`;
}

/** A length of time: "6.4 s", "2 min 5 s", "3 h 20 min", "4 d 2 h". */
export function span(seconds: number): string {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)}${THIN}s`;
  const pair = (big: number, bigUnit: string, small: number, smallUnit: string) =>
    small ? `${big}${THIN}${bigUnit} ${small}${THIN}${smallUnit}` : `${big}${THIN}${bigUnit}`;
  const s = Math.round(seconds);
  if (s < 3600) return pair(Math.floor(s / 60), 'min', s % 60, 's');
  if (s < 86400) return pair(Math.floor(s / 3600), 'h', Math.floor((s % 3600) / 60), 'min');
  return pair(Math.floor(s / 86400), 'd', Math.floor((s % 86400) / 3600), 'h');
}

/** How long ago, in one unit: "now", "12 s", "5 min", "3 h", "4 d". */
export function age(seconds: number): string {
  if (seconds < 1.5) return 'now';
  if (seconds < 60) return `${Math.floor(seconds)}${THIN}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}${THIN}min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)}${THIN}h`;
  return `${Math.floor(seconds / 86400)}${THIN}d`;
}

/** A position in a clip, always as wide as any other: "03.27 s". */
export function position(seconds: number): string {
  const sign = seconds < -0.004 ? '−' : '';
  return `${sign}${Math.abs(seconds).toFixed(2).padStart(5, '0')}${THIN}s`;
}

export function unixMs(ns: bigint): number {
  return Number(ns / 1_000_000n);
}

const clockFormat = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const dayFormat = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const yearFormat = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
const fullFormat = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  timeZoneName: 'short',
});

/** In the viewer's zone: the time of day, with the day where it is not today. */
export function clock(ms: number, nowMs: number): string {
  const then = new Date(ms);
  const now = new Date(nowMs);
  const time = clockFormat.format(then);
  if (then.toDateString() === now.toDateString()) return time;
  const day = then.getFullYear() === now.getFullYear() ? dayFormat : yearFormat;
  return `${day.format(then)} ${time}`;
}

export function fullTime(ms: number): string {
  return fullFormat.format(new Date(ms));
}

export function utc(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').replace('Z', ' UTC');
}

export function hex(data: Uint8Array): string {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** A signal's value: enough digits to tell neighbours apart, no more. */
export function measure(value: number): string {
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e6) return String(value);
  if (size >= 100) return value.toFixed(0);
  return value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

export function plural(n: number | bigint, one: string): string {
  return `${count(n)} ${Number(n) === 1 ? one : `${one}s`}`;
}
