// What a person says of a frame while the editor is open, and what becomes of it for the server.

import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Annotation, AnnotationSchema, LabelAttribute, LabelClass, LabelSchema } from '../gen/gleaner/v1/annotation_pb.js';
import { Label_Verdict, LabelSchema_Kind } from '../gen/gleaner/v1/annotation_pb.js';
import type { Rect } from './geometry';

/** So many classes have a key each, and are seen at a glance; more are looked for by their names. */
export const MANY = 9;

export type Attributes = Record<string, string>;

export interface Box extends Rect {
  /** Names it on the page, for as long as the task is open. */
  key: number;
  classId: number;
  /** By the model; 0 once a person changed it. */
  confidence: number;
  attributes: Attributes;
}

/** Never changed: each step is another one. */
export interface Said {
  boxes: readonly Box[];
  classes: readonly { classId: number; confidence: number }[];
  text: string;
  textConfidence: number;
  attributes: Attributes;
}

export const NOTHING: Said = { boxes: [], classes: [], text: '', textConfidence: 0, attributes: {} };

const attributesOf = (values: { name: string; value: string }[]): Attributes =>
  Object.fromEntries(values.map(({ name, value }) => [name, value]));

export function fromAnnotation(annotation: Annotation | undefined): Said {
  if (!annotation) return NOTHING;
  return {
    boxes: annotation.boxes.map(({ x, y, width, height, classId, confidence, attributes }, key) => ({
      key, x, y, width, height, classId, confidence, attributes: attributesOf(attributes),
    })),
    classes: annotation.classes.map(({ classId, confidence }) => ({ classId, confidence })),
    text: annotation.text,
    textConfidence: annotation.textConfidence,
    attributes: attributesOf(annotation.attributes),
  };
}

const listOf = (attributes: Attributes) =>
  Object.entries(attributes).filter(([, value]) => value !== '').map(([name, value]) => ({ name, value }));

/** A person's word has no confidence. */
export function toAnnotation(said: Said): MessageInitShape<typeof AnnotationSchema> {
  return {
    boxes: said.boxes.map(({ x, y, width, height, classId, attributes }) => ({
      x, y, width, height, classId, attributes: listOf(attributes),
    })),
    classes: said.classes.map(({ classId }) => ({ classId })),
    text: said.text,
    attributes: listOf(said.attributes),
  };
}

/** Whether both say the same, whatever the order and the confidences. */
export function saysSame(a: Said, b: Said): boolean {
  const of = (said: Said) => {
    const { boxes = [], classes = [], text, attributes = [] } = toAnnotation(said);
    const sorted = (list: unknown[]) => list.map((one) => JSON.stringify(one)).sort();
    return JSON.stringify([sorted(boxes), sorted(classes), text, sorted(attributes)]);
  };
  return of(a) === of(b);
}

export function saysNothing(said: Said): boolean {
  return saysSame(said, NOTHING);
}

/** What saving `said` is; `shown` is the pre-label, undefined where none is shown. */
export function verdictOf(shown: Said | undefined, said: Said): Label_Verdict {
  if (!shown) return Label_Verdict.CREATED;
  if (saysSame(shown, said)) return Label_Verdict.ACCEPTED;
  return saysNothing(said) ? Label_Verdict.REJECTED : Label_Verdict.FIXED;
}

/** Accepted and rejected speak for themselves. */
export function needsAnnotation(verdict: Label_Verdict): boolean {
  return verdict === Label_Verdict.FIXED || verdict === Label_Verdict.CREATED;
}

export function withBox(said: Said, key: number, change: Partial<Omit<Box, 'key'>>): Said {
  return {
    ...said,
    boxes: said.boxes.map((box) => (box.key === key ? { ...box, ...change, confidence: 0 } : box)),
  };
}

export function addBox(said: Said, rect: Rect, classId: number): { said: Said; key: number } {
  const key = said.boxes.reduce((most, box) => Math.max(most, box.key + 1), 0);
  return { said: { ...said, boxes: [...said.boxes, { key, ...rect, classId, confidence: 0, attributes: {} }] }, key };
}

export function withoutBox(said: Said, key: number): Said {
  return { ...said, boxes: said.boxes.filter((box) => box.key !== key) };
}

export function toggleClass(said: Said, classId: number): Said {
  const has = said.classes.some((one) => one.classId === classId);
  return {
    ...said,
    classes: has ? said.classes.filter((one) => one.classId !== classId) : [...said.classes, { classId, confidence: 0 }],
  };
}

/** The class that a number key means: the keys 1 to 9 are the first nine. */
export function classOfKey(classes: LabelClass[], key: string): LabelClass | undefined {
  return /^[1-9]$/.test(key) ? classes[Number(key) - 1] : undefined;
}

export function className(classes: LabelClass[], id: number): string {
  return classes.find((one) => one.id === id)?.name ?? `class ${id}`;
}

/** Which of the page's colours a class has: the same in every frame. */
export function hueOf(classes: LabelClass[], id: number): number {
  return Math.max(0, classes.findIndex((one) => one.id === id)) % 8;
}

const KINDS: Partial<Record<LabelSchema_Kind, string>> = {
  [LabelSchema_Kind.BOXES]: 'boxes',
  [LabelSchema_Kind.CLASSES]: 'classes',
  [LabelSchema_Kind.TRANSCRIPTION]: 'transcription',
};

export function kindWord(schema: Pick<LabelSchema, 'kind'>): string {
  return KINDS[schema.kind] ?? 'something newer than this page';
}

const VERDICTS: Partial<Record<Label_Verdict, string>> = {
  [Label_Verdict.ACCEPTED]: 'accepted',
  [Label_Verdict.FIXED]: 'fixed',
  [Label_Verdict.REJECTED]: 'rejected',
  [Label_Verdict.CREATED]: 'created',
};

export function verdictWord(verdict: Label_Verdict): string {
  return VERDICTS[verdict] ?? 'unknown';
}

/** "bottle 0.91, box": what is said, in words. */
export function words(said: Said, classes: LabelClass[]): string {
  const of = ({ classId, confidence }: { classId: number; confidence: number }) =>
    className(classes, classId) + (confidence > 0 ? ` ${confidence.toFixed(2)}` : '');
  return [...said.boxes.map(of), ...said.classes.map(of), said.text && `“${said.text}”`].filter(Boolean).join(', ') || 'nothing';
}

/** What an attribute may be: '' stands for nothing said. */
export function choicesOf(attribute: LabelAttribute): string[] | null {
  return attribute.values.length > 0 ? ['', ...attribute.values] : null;
}
