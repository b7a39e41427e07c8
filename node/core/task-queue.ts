import type { NodeId } from './message.ts';

/** A task on its way through an agent's host. */
export interface QueuedTask {
  task: string;
  payload: Uint8Array;
  /** Monotonic time of this node, ms; after it the task is not begun. */
  deadlineMs: number;
  /** Node that asked, and gets the answer. */
  origin: NodeId;
  attempts: number;
}

/** First in, first out. Its user bounds it. Taking from the front costs the same however long it is. */
export class TaskQueue {
  #tasks: QueuedTask[] = [];
  #head = 0;

  get length(): number {
    return this.#tasks.length - this.#head;
  }

  push(task: QueuedTask): void {
    this.#tasks.push(task);
  }

  unshift(task: QueuedTask): void {
    this.#tasks = [task, ...this.#tasks.slice(this.#head)];
    this.#head = 0;
  }

  shift(): QueuedTask | undefined {
    const task = this.#tasks[this.#head];
    if (task === undefined) return undefined;
    this.#head += 1;
    if (this.#head > 64 && this.#head * 2 > this.#tasks.length) {
      this.#tasks = this.#tasks.slice(this.#head);
      this.#head = 0;
    }
    return task;
  }
}
