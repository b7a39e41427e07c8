import type { MessageOf, NodeId } from './message.ts';

/** A task on its way through an agent's host. */
export interface QueuedTask {
  task: string;
  payload: Uint8Array;
  /** Monotonic time of this node, ms; after it the task is not begun. */
  deadlineMs: number;
  /** Node that asked, and gets the answer. */
  origin: NodeId;
  /** 0 to 9, higher first. */
  priority: number;
  /** Tasks of one key are done one after the other in the order in which they came; empty: it has no key. */
  key: string;
  /** It was set aside, and an operator wants it tried once more: names that wish; empty: it is no such try. */
  retry: string;
  /** Whoever asked wants to hear what it says before it is done. */
  progress: boolean;
  /** Of a letter: what its sender says has settled. */
  settledBelow?: number | undefined;
  /** How often what ran it ended, as seen here. */
  failures?: number;
  /** The try that was recorded last was cut short by this node itself: it says nothing about the task. */
  wasCutShort?: { tries: number } | undefined;
}

/** What is answered where there is nothing that could do the task now. */
export const refusalOf = ({ task }: QueuedTask, agent: string): MessageOf<'taskAnswer'> => ({
  ...{ task, agent, ok: false, value: new Uint8Array(0), refusal: 'agentNotReady' },
});

interface Place {
  task: QueuedTask;
  /** Counts arrivals: among tasks of one priority the earlier goes first. */
  arrival: number;
}

/**
 * Tasks in the order in which they are to be begun: the highest priority first, then the earliest. A task with a key
 * stays behind all earlier ones of its key until they are done, whatever its priority. Its user bounds it.
 */
export class TaskQueue {
  /** Those that may begin, in order, from `#head` on. */
  #ready: Place[] = [];
  #head = 0;
  /** Of each key that has a task here: the one that goes first, queued or taken out, then those that stay behind it. */
  readonly #keyed = new Map<string, Place[]>();
  /** Taken out and not yet done. */
  readonly #taken = new Map<QueuedTask, Place>();
  #behind = 0;
  #arrivals = 0;

  get length(): number {
    return this.#ready.length - this.#head + this.#behind;
  }

  /** Of the one that is to begin next; below all where none may. */
  get priority(): number {
    return this.#ready[this.#head]?.task.priority ?? -1;
  }

  push(task: QueuedTask): void {
    this.#arrivals += 1;
    const place = { task, arrival: this.#arrivals };
    const first = task.key === '' ? undefined : this.#keyed.get(task.key);
    if (first === undefined) {
      if (task.key !== '') this.#keyed.set(task.key, [place]);
      this.#insert(place);
    } else {
      first.push(place);
      this.#behind += 1;
    }
  }

  /** Takes out the one to begin. It is followed by `done` or `putBack`. */
  take(): QueuedTask | undefined {
    const place = this.#ready[this.#head];
    if (place === undefined) return undefined;
    this.#head += 1;
    if (this.#head > 64 && this.#head * 2 > this.#ready.length) {
      this.#ready = this.#ready.slice(this.#head);
      this.#head = 0;
    }
    this.#taken.set(place.task, place);
    return place.task;
  }

  /** A task that was taken out gets the place back that its arrival gave it. */
  putBack(task: QueuedTask): void {
    const place = this.#taken.get(task);
    if (place === undefined) return;
    this.#taken.delete(task);
    this.#insert(place);
  }

  /** A task that was taken out is over: the next one of its key may begin. */
  done(task: QueuedTask): void {
    if (this.#taken.delete(task)) this.#release(task.key);
  }

  /** Takes out, for good, all that wait under this id. */
  remove(id: string): QueuedTask[] {
    const isMeant = ({ task }: Place): boolean => task.task === id;
    const ready = this.#ready.slice(this.#head);
    const removed = ready.filter(isMeant);
    this.#ready = ready.filter((place) => !isMeant(place));
    this.#head = 0;
    for (const [key, places] of this.#keyed) {
      const [first, ...behind] = places;
      const meant = behind.filter(isMeant);
      if (first === undefined || meant.length === 0) continue;
      this.#behind -= meant.length;
      this.#keyed.set(key, [first, ...behind.filter((place) => !isMeant(place))]);
      removed.push(...meant);
    }
    for (const { task } of removed) if (this.#keyed.get(task.key)?.[0]?.task === task) this.#release(task.key);
    return removed.map(({ task }) => task);
  }

  /** All that wait, those first that may begin. */
  all(): QueuedTask[] {
    const behind = [...this.#keyed.values()].flatMap(([, ...places]) => places);
    return [...this.#ready.slice(this.#head), ...behind].map(({ task }) => task);
  }

  #release(key: string): void {
    const places = key === '' ? undefined : this.#keyed.get(key);
    if (places === undefined) return;
    places.shift();
    const [next] = places;
    if (next === undefined) {
      this.#keyed.delete(key);
    } else {
      this.#behind -= 1;
      this.#insert(next);
    }
  }

  #insert(place: Place): void {
    let [low, high] = [this.#head, this.#ready.length];
    // Most come last: of the usual priority, and later than all.
    if (high > low && !goesFirst(place, this.#ready[high - 1] as Place)) low = high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (goesFirst(place, this.#ready[middle] as Place)) high = middle;
      else low = middle + 1;
    }
    this.#ready.splice(low, 0, place);
  }
}

function goesFirst(a: Place, b: Place): boolean {
  if (a.task.priority !== b.task.priority) return a.task.priority > b.task.priority;
  return a.arrival < b.arrival;
}
