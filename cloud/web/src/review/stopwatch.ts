// The time that a person spends on a task: while its picture is shown, the page has the focus, and the person does something.

/** So long somebody may look without moving a finger; what is longer is a break. */
export const MOST_IDLE_MS = 30_000;
/** What the server takes at most. */
export const MOST_MS = 3_600_000;

export class Stopwatch {
  private spent = 0;
  private since: number | null = null;

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** From now on time counts; called again, it is a sign of life. */
  run() {
    this.add();
    this.since = this.now();
  }

  /** The person did something. */
  alive() {
    if (this.since !== null) this.run();
  }

  /** From now on it doesn't. */
  pause() {
    this.add();
    this.since = null;
  }

  /** What was spent until now. */
  ms(): number {
    return Math.min(Math.round(this.spent + this.going()), MOST_MS);
  }

  private going(): number {
    return this.since === null ? 0 : Math.min(Math.max(0, this.now() - this.since), MOST_IDLE_MS);
  }

  private add() {
    this.spent += this.going();
  }
}
