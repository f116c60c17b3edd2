// The report in numbers on an axis and in words.

import type { LabelReportLine, Measured } from '../gen/gleaner/v1/label_report_pb.js';

export function lineName(line: Pick<LabelReportLine, 'className' | 'model' | 'modelVersion'>): string {
  if (line.className) return line.className;
  return line.model ? `${line.model} ${line.modelVersion}` : 'all';
}

export function lineKind(line: Pick<LabelReportLine, 'className' | 'model'>): 'all' | 'class' | 'model' {
  return line.className ? 'class' : line.model ? 'model' : 'all';
}

const has = (measured: Measured | undefined): measured is Measured => measured !== undefined && measured.labels > 0n;

/** "4.2 s (3.9 to 4.6)"; a dash where nothing was measured, no interval where it was once. */
export function secondsWords(measured: Measured | undefined): string {
  if (!has(measured)) return '–';
  const of = (value: number) => value.toFixed(value < 10 ? 2 : 1);
  if (measured.labels === 1n) return `${of(measured.mean)} s`;
  return `${of(measured.mean)} s (${of(measured.low)} to ${of(measured.high)})`;
}

/** "94 % (90 to 97)". */
export function shareWords(measured: Measured | undefined): string {
  if (!has(measured)) return '–';
  const of = (value: number) => String(Math.round(100 * value));
  if (measured.labels === 1n) return `${of(measured.mean)} %`;
  return `${of(measured.mean)} % (${of(measured.low)} to ${of(measured.high)})`;
}

/** "0.82 (0.74 to 0.90)". */
export function kappaWords(measured: Measured | undefined): string {
  if (!has(measured)) return '–';
  if (measured.labels === 1n) return measured.mean.toFixed(2);
  return `${measured.mean.toFixed(2)} (${measured.low.toFixed(2)} to ${measured.high.toFixed(2)})`;
}

/** A scale from 0 to a round number that holds `most`, and where its lines are. */
export function scaleOf(most: number): { top: number; ticks: number[] } {
  if (!(most > 0)) return { top: 1, ticks: [0, 0.5, 1] };
  const power = 10 ** Math.floor(Math.log10(most));
  const step = [0.2, 0.5, 1, 2].map((part) => part * power).find((one) => most / one <= 5) ?? 2 * power;
  const count = Math.ceil(most / step - 1e-9);
  return { top: count * step, ticks: Array.from({ length: count + 1 }, (_, i) => i * step) };
}

/** The largest of what is plotted. */
export function mostOf(lines: (Measured | undefined)[]): number {
  return lines.filter(has).reduce((most, { high }) => Math.max(most, high), 0);
}
