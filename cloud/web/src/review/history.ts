// Undo and redo: states are never changed, only put in each other's place.

const MOST_STEPS = 500;

export class History<T> {
  private readonly past: T[] = [];
  private future: T[] = [];
  /** Of the last step that may go on: dragging is one step, however many moves it has. */
  private gesture: unknown = null;

  constructor(public now: T) {}

  get canUndo(): boolean {
    return this.past.length > 0;
  }

  get canRedo(): boolean {
    return this.future.length > 0;
  }

  /** A step; those of one `gesture`, one after the other, are one. What was undone is gone. */
  step(next: T, gesture: unknown = null) {
    if (gesture === null || gesture !== this.gesture) {
      this.past.push(this.now);
      if (this.past.length > MOST_STEPS) this.past.shift();
    }
    this.gesture = gesture;
    this.future = [];
    this.now = next;
  }

  undo(): boolean {
    if (!this.canUndo) return false;
    this.future.push(this.now);
    this.now = this.past.pop() as T;
    this.gesture = null;
    return true;
  }

  redo(): boolean {
    if (!this.canRedo) return false;
    this.past.push(this.now);
    this.now = this.future.pop() as T;
    this.gesture = null;
    return true;
  }
}
