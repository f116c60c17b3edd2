// One task on the desk: what is shown, what the person made of it so far, and the time that it took.

import type { LabelSchema } from '../gen/gleaner/v1/annotation_pb.js';
import { LabelSchema_Kind } from '../gen/gleaner/v1/annotation_pb.js';
import type { ReviewTask } from '../gen/gleaner/v1/label_task_pb.js';
import type { Rect } from './geometry';
import { History } from './history';
import { addBox, type Attributes, fromAnnotation, NOTHING, type Said, saysSame, toggleClass, withBox, withoutBox } from './said';
import { Stopwatch } from './stopwatch';

export class Work {
  /** Undefined where no pre-label is shown. */
  readonly shown: Said | undefined;
  readonly again: boolean;
  readonly watch = new Stopwatch();
  said: Said = $state.raw(NOTHING);
  /** The key of the box that is selected; -1 for none. */
  selected = $state(-1);
  canUndo = $state(false);
  canRedo = $state(false);
  #history: History<Said>;

  /** `said`: of a label that is corrected once more, without its task. */
  constructor(
    readonly task: ReviewTask,
    readonly schema: LabelSchema,
    said?: Said,
  ) {
    this.again = said !== undefined;
    this.shown = task.prelabel && fromAnnotation(task.prelabel);
    this.#history = new History(said ?? this.shown ?? NOTHING);
    this.#tell();
  }

  get number(): bigint {
    return this.task.number;
  }

  get hasBoxes(): boolean {
    return this.schema.kind === LabelSchema_Kind.BOXES;
  }

  get changed(): boolean {
    return !saysSame(this.said, this.shown ?? NOTHING);
  }

  /** Steps of one `gesture` are undone as one. */
  set(next: Said, gesture: unknown = null) {
    this.#history.step(next, gesture);
    this.#tell();
  }

  undo() {
    if (this.#history.undo()) this.#tell();
  }

  redo() {
    if (this.#history.redo()) this.#tell();
  }

  add(rect: Rect, classId: number) {
    const { said, key } = addBox(this.said, rect, classId);
    this.set(said);
    this.selected = key;
  }

  place(key: number, rect: Rect, gesture: unknown = null) {
    this.set(withBox(this.said, key, rect), gesture);
  }

  remove(key: number) {
    const at = this.said.boxes.findIndex((box) => box.key === key);
    if (at < 0) return;
    this.set(withoutBox(this.said, key));
    // The next one, so that deleting goes on by the same key.
    this.selected = this.said.boxes[Math.min(at, this.said.boxes.length - 1)]?.key ?? -1;
  }

  clear() {
    this.selected = -1;
    this.set(NOTHING);
  }

  classify(key: number, classId: number) {
    // The class that it has already is no step: there would be nothing to see of undoing it.
    if (this.said.boxes.some((box) => box.key === key && box.classId !== classId)) this.set(withBox(this.said, key, { classId }));
  }

  toggle(classId: number) {
    this.set(toggleClass(this.said, classId));
  }

  write(text: string) {
    this.set({ ...this.said, text, textConfidence: 0 }, 'text');
  }

  /** Of the selected box, or of the frame where the schema has no boxes. */
  get attributes(): Attributes | undefined {
    if (!this.hasBoxes) return this.said.attributes;
    return this.said.boxes.find((box) => box.key === this.selected)?.attributes;
  }

  describe(name: string, value: string) {
    const attributes = { ...this.attributes, [name]: value };
    const gesture = `${name} of ${this.selected}`;
    if (!this.hasBoxes) this.set({ ...this.said, attributes }, gesture);
    else this.set(withBox(this.said, this.selected, { attributes }), gesture);
  }

  #tell() {
    this.said = this.#history.now;
    this.canUndo = this.#history.canUndo;
    this.canRedo = this.#history.canRedo;
    if (!this.said.boxes.some((box) => box.key === this.selected)) this.selected = -1;
  }
}
