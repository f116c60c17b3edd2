// A person's desk: the task in hand, the next ones with their pictures decoded already, and the last one that was done.
//
// Tasks are taken ahead and are nobody else's for as long as the server says. Each time more are taken the hold on all of
// them is extended, and so it is now and then while somebody works; on leaving, they are given back.

import type { LabelSchema } from '../gen/gleaner/v1/annotation_pb.js';
import { Label_Verdict } from '../gen/gleaner/v1/annotation_pb.js';
import type { ReviewTask, TaskSet } from '../gen/gleaner/v1/label_task_pb.js';
import { describe, labels as service, type Problem } from '../lib/api';
import { outbox as mail } from './mail';
import type { Outbox } from './outbox.svelte';
import { Pictures } from './pictures';
import { needsAnnotation, NOTHING, type Said, toAnnotation, verdictOf, words } from './said';
import { Work } from './work.svelte';

/** With the one in hand. */
const IN_HAND = 4;
/** The hold is extended so long after the last time, */
const EXTEND_MS = 5 * 60_000;
/** if the person did something since so long ago. Else it ends by itself, and others get the tasks. */
const ABSENT_MS = 15 * 60_000;
/** How far the set is is asked so often while somebody works. */
const COUNT_MS = 10_000;
/** Where the server could not be asked. */
const RETRY_MS = 5_000;
/** Work that was begun and left is kept for so many tasks. */
const MOST_BEGUN = 40;

/** By task: what was begun, with the time it took so far, for when the task comes back. */
const begun = new Map<bigint, Work>();

type Service = Pick<typeof service, 'takeTasks' | 'getSchema' | 'getTaskSet' | 'skipTask' | 'returnTasks'>;

/** A task that was done here: what was shown, and what was said. */
export interface Done {
  work: Work;
  verdict: Label_Verdict;
}

export class Desk {
  work = $state.raw<Work | null>(null);
  /** The picture of the task in hand, once it can be drawn. */
  picture = $state.raw<ImageBitmap | null>(null);
  pictureProblem = $state('');
  /** Whether the next one's picture is decoded: pressing a key shows it at once. */
  nextReady = $state(false);
  last = $state.raw<Done | null>(null);
  problem = $state.raw<Problem | null>(null);
  /** Nothing is left for this person. */
  empty = $state(false);
  loading = $state(true);
  done = $state(0);
  skipped = $state(0);
  /** Whoever works is told in words, and by a screen reader. */
  note = $state('');
  /** The hold on the task in hand ran out. */
  lapsed = $state(false);

  #queue: ReviewTask[] = [];
  /** Saved or put aside here, while the server may not know yet. */
  #finished = new Set<bigint>();
  #schemas = new Map<number, LabelSchema>();
  #taking = false;
  /** Until the last asking for tasks is answered. */
  #took: Promise<void> = Promise.resolve();
  #takenMs = 0;
  #aliveMs = Date.now();
  #closed = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  /** The latest end of a hold that this desk knows: what is taken again elsewhere has a later one. */
  #leaseNs = 0n;

  /** The set as the server had it last. */
  set: TaskSet = $state.raw() as TaskSet;
  #setMs = Date.now();
  /** Done or put aside since. */
  #since = $state(0);

  constructor(
    set: TaskSet,
    private readonly labels: Service = service,
    private readonly outbox: Outbox = mail,
    private readonly pictures: Pictures = new Pictures(),
  ) {
    this.set = set;
  }

  get left(): number {
    return Math.max(0, this.set.open - this.#since);
  }

  get schemaName(): string {
    return this.set.schema;
  }

  /** Takes tasks, until `close`. */
  open(): () => void {
    void this.take();
    const timer = setInterval(() => this.#extend(), 30_000);
    // The tab is closed, or put away by a browser that may bring it back.
    const onHide = () => giveBack(this.schemaName, this.#leaseNs);
    const onShow = (event: PageTransitionEvent) => {
      if (event.persisted) void this.take();
    };
    addEventListener('pagehide', onHide);
    addEventListener('pageshow', onShow);
    return () => {
      clearInterval(timer);
      clearTimeout(this.#retry);
      removeEventListener('pagehide', onHide);
      removeEventListener('pageshow', onShow);
      this.#close();
    };
  }

  /** A sign of life. After a long absence it is asked for what is still ours. */
  alive() {
    const away = Date.now() - this.#takenMs > EXTEND_MS;
    this.#aliveMs = Date.now();
    this.work?.watch.alive();
    if (away && !this.empty) void this.take();
  }

  #extend() {
    const now = Date.now();
    if (this.empty || now - this.#takenMs < EXTEND_MS || now - this.#aliveMs > ABSENT_MS) return;
    void this.take();
  }

  take(): Promise<void> {
    if (!this.#taking && !this.#closed) this.#took = this.#take();
    return this.#took;
  }

  async #take() {
    this.#taking = true;
    clearTimeout(this.#retry);
    // Marks the time of asking, so that nobody asks twice for one absence.
    this.#takenMs = Date.now();
    try {
      const { tasks } = await this.outbox.after(async () =>
        this.#closed ? { tasks: [] } : this.labels.takeTasks({ schema: this.schemaName, set: this.set.number, most: IN_HAND }),
      );
      for (const { leaseUnixNs } of tasks) if (leaseUnixNs > this.#leaseNs) this.#leaseNs = leaseUnixNs;
      if (this.#closed) return;
      for (const version of new Set(tasks.map((task) => task.schemaVersion))) await this.#learn(version);
      this.#receive(tasks);
      this.problem = null;
      if (this.empty || Date.now() - this.#setMs > COUNT_MS) await this.#count();
    } catch (error) {
      this.problem = describe(error);
      if (!this.#closed) this.#retry = setTimeout(() => void this.take(), RETRY_MS);
    } finally {
      this.#taking = false;
      this.loading = false;
    }
  }

  async #count() {
    this.#setMs = Date.now();
    const { set } = await this.outbox.after(() => this.labels.getTaskSet({ number: this.set.number }));
    if (!set) return;
    this.set = set;
    this.#since = this.outbox.waiting;
  }

  async #learn(version: number) {
    if (this.#schemas.has(version)) return;
    const { schema } = await this.labels.getSchema({ name: this.schemaName, version });
    if (schema) this.#schemas.set(version, schema);
  }

  #receive(tasks: ReviewTask[]) {
    const given = new Map(tasks.map((task) => [task.number, task]));
    const held = this.work;
    this.lapsed = held !== null && !held.again && !given.has(held.number);
    // What was next stays next; what is somebody else's by now is gone.
    const kept = this.#queue.filter((task) => given.has(task.number));
    const known = new Set(kept.map((task) => task.number));
    for (const task of tasks) {
      if (known.has(task.number) || this.#finished.has(task.number) || task.number === held?.number) continue;
      kept.push(task);
    }
    this.#queue = kept.filter((task) => !this.#finished.has(task.number));
    this.empty = !held && this.#queue.length === 0;
    if (!held) this.#next();
    else this.#prepare();
  }

  /** The next one comes to hand; what is missing is taken. */
  #next() {
    this.#pause();
    const task = this.#queue.shift();
    this.lapsed = false;
    const schema = task && this.#schemas.get(task.schemaVersion);
    this.work = task && schema ? (begun.get(task.number) ?? new Work(task, schema)) : null;
    if (this.work?.changed) this.note = 'You had begun with this one: what you did is here again.';
    this.#prepare();
  }

  #prepare() {
    const work = this.work;
    this.picture = work ? this.pictures.ready(work.task.frame?.id) : null;
    this.pictureProblem = '';
    const after = this.#queue[0];
    this.pictures.keep(
      [work?.task, ...this.#queue.slice(0, IN_HAND), this.last?.work.task].filter((task) => task !== undefined).map((task) => task.frame?.id),
    );
    if (work && !this.picture) void this.loadPicture();
    this.nextReady = after !== undefined && this.pictures.ready(after.frame?.id) !== null;
    if (after && !this.nextReady) {
      this.pictures.get(after.frame?.id).then(
        () => {
          if (this.#queue[0] === after) this.nextReady = true;
        },
        () => {},
      );
    }
  }

  async loadPicture() {
    const work = this.work;
    if (!work) return;
    this.pictureProblem = '';
    try {
      const picture = await this.pictures.get(work.task.frame?.id);
      if (this.work === work) this.picture = picture;
    } catch (error) {
      if (this.work === work) this.pictureProblem = error instanceof Error ? error.message : String(error);
    }
  }

  /** Saves what is drawn. */
  save() {
    const work = this.work;
    if (!work || !this.picture) return;
    const verdict = work.again ? Label_Verdict.CREATED : verdictOf(work.shown, work.said);
    this.#send(work, work.said, verdict);
  }

  /** The pre-label is right as it is. Says so where something was changed: that is kept, until it is saved or undone. */
  accept() {
    const work = this.work;
    if (!work || !this.picture) return;
    if (!work.shown || work.again) this.note = 'There is no pre-label to accept: Enter saves what is drawn, n says that nothing is there.';
    else if (work.changed) this.note = 'You changed something: Enter saves it, u undoes it.';
    else this.#send(work, work.shown, Label_Verdict.ACCEPTED);
  }

  /** Nothing of what the schema speaks of is there. */
  reject() {
    const work = this.work;
    if (!work || !this.picture) return;
    this.#send(work, NOTHING, work.shown && !work.again ? Label_Verdict.REJECTED : Label_Verdict.CREATED);
  }

  #send(work: Work, said: Said, verdict: Label_Verdict) {
    work.watch.pause();
    const humanMs = work.watch.ms();
    const { task } = work;
    const annotation = toAnnotation(said);
    const alone = {
      frame: task.frame?.id, schema: task.schema, schemaVersion: task.schemaVersion,
      verdict: Label_Verdict.CREATED, annotation, humanMs,
    };
    const save = work.again ? alone : { task: task.number, verdict, humanMs, annotation: needsAnnotation(verdict) ? annotation : undefined };
    if (said !== work.said) work.set(said);
    void this.outbox.save(save, alone, words(said, work.schema.classes));
    this.done++;
    this.#finish(work);
    this.last = { work, verdict };
    this.note = '';
    this.#next();
    void this.take();
  }

  async skip(reason: string) {
    const work = this.work;
    if (!work) return;
    if (!work.again) {
      const { number } = work;
      this.outbox
        .after(() => this.labels.skipTask({ number, reason }))
        .then(
          () => this.skipped++,
          (error: unknown) => (this.note = `Not put aside: ${describe(error).detail}`),
        );
    }
    this.#finish(work);
    this.#next();
    await this.take();
  }

  #finish(work: Work) {
    begun.delete(work.number);
    if (!work.again) this.#since++;
    if (!work.again) this.#finished.add(work.number);
  }

  /** The last one once more: what is saved then takes its place, without a task. */
  reopen() {
    const { last, work } = this;
    if (!last || work?.again) return;
    if (work) {
      this.#pause();
      this.#keep(work);
      this.#queue.unshift(work.task);
    }
    const task = { ...last.work.task, prelabel: undefined };
    this.work = new Work(task, last.work.schema, last.work.said);
    this.note = 'The last one again: what you save now takes its place.';
    this.#prepare();
  }

  /** The rest of the person's time isn't this task's. */
  #pause() {
    this.work?.watch.pause();
  }

  #keep(work: Work) {
    if (work.again) return;
    begun.set(work.number, work);
    for (const oldest of begun.keys()) {
      if (begun.size <= MOST_BEGUN) break;
      begun.delete(oldest);
    }
  }

  #close() {
    this.#closed = true;
    this.#pause();
    if (this.work) this.#keep(this.work);
    this.work = null;
    this.picture = null;
    this.pictures.keep([]);
    // After what is on its way, tasks among it; where that fails, others get them when the hold ends.
    void this.#took
      .then(() => this.outbox.after(() => this.labels.returnTasks({ schema: this.schemaName, leaseUnixNs: this.#leaseNs })))
      .catch(() => {});
  }
}

/** Said while the page goes away: nobody waits for the answer. */
function giveBack(schema: string, leaseNs: bigint) {
  void fetch('/gleaner.v1.LabelService/ReturnTasks', {
    method: 'POST',
    keepalive: true,
    headers: { 'content-type': 'application/json', 'connect-protocol-version': '1' },
    body: JSON.stringify({ schema, leaseUnixNs: leaseNs.toString() }),
  });
}
