import type { AgentTaskEvents } from './agent-task-events.ts';
import type { TaskResult } from './message.ts';
import type { QueuedTask } from './task-queue.ts';
import { reasonBytes } from './text.ts';

interface Waiting {
  sequence: number;
  /** Told once a majority has the step. */
  done: () => void;
  /** The task whose answer it is; it goes on to the next host when this one ends. */
  task: QueuedTask | undefined;
}

const nothing = new Uint8Array(0);

/** Who asked an agent for what, and what is told once a majority of the holders has a step. Its user bounds it. */
export class TaskAnswers {
  readonly #agent: string;
  readonly #events: Pick<AgentTaskEvents, 'answer' | 'progress'>;
  /** Asked and not yet answered, by who asked: the same task asked again by the same node is answered once. */
  readonly #asked = new Map<string, QueuedTask>();
  #waiting: Waiting[] = [];

  constructor(agent: string, events: Pick<AgentTaskEvents, 'answer' | 'progress'>) {
    this.#agent = agent;
    this.#events = events;
  }

  /** Tasks that were asked for and are not answered. */
  get count(): number {
    return this.#asked.size;
  }

  /** The one that the same node asked for before. */
  asked(task: QueuedTask): QueuedTask | undefined {
    return this.#asked.get(keyOf(task));
  }

  ask(task: QueuedTask): void {
    this.#asked.set(keyOf(task), task);
  }

  /** It needs no answer any more. */
  drop(task: QueuedTask): void {
    this.#asked.delete(keyOf(task));
  }

  await(task: QueuedTask, result: TaskResult): void {
    this.#waiting.push({ sequence: result.sequence, done: () => this.#answer(task, result), task });
  }

  /** Calls it once a majority of the holders has that step, and acknowledging is allowed. */
  afterStep(sequence: number, done: () => void): void {
    this.#waiting.push({ sequence, done, task: undefined });
  }

  /** Answers all that a majority of the holders keeps. */
  acknowledge(durableSequence: number): void {
    if (this.#waiting.length === 0) return;
    const due: Waiting[] = [];
    const later: Waiting[] = [];
    for (const one of this.#waiting) (one.sequence <= durableSequence ? due : later).push(one);
    this.#waiting = later;
    for (const { done } of due) done();
  }

  refuse(task: QueuedTask, refusal: string, retryAfterMs = 0): void {
    const answer = { task: task.task, agent: this.#agent, ok: false, value: nothing, refusal };
    this.#events.answer(task, { ...answer, ...(retryAfterMs > 0 && { retryAfterMs }) });
  }

  /** Told to those who asked for that. */
  progress(id: string, number: number, value: Uint8Array): void {
    for (const task of this.#asked.values()) {
      if (task.task === id && task.progress) this.#events.progress(task, number, value);
    }
  }

  /** Answers nobody any more. Returns the tasks whose answer waited. */
  end(): QueuedTask[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#asked.clear();
    return waiting.flatMap(({ task }) => task ?? []);
  }

  #answer(task: QueuedTask, { ok, value, valueDropped, cancelled, aside }: TaskResult): void {
    this.drop(task);
    let refusal = valueDropped ? 'resultDropped' : '';
    if (cancelled === true) refusal = 'taskCancelled';
    if (aside !== undefined) refusal = 'taskSetAside';
    const told = aside === undefined ? value : reasonBytes(aside.reason, { tries: aside.tries });
    this.#events.answer(task, { task: task.task, agent: this.#agent, ok: ok && refusal === '', value: told, refusal });
  }
}

const keyOf = (task: QueuedTask): string => `${task.origin}/${task.task}`;
