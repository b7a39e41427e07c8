import { AgentTasks } from '../../node/core/agent-tasks.ts';
import type { Context } from '../../node/core/context.ts';
import type { MessageOf, TaskResult } from '../../node/core/message.ts';
import { Outbox } from '../../node/core/outbox.ts';
import type { QueuedTask } from '../../node/core/task-queue.ts';
import { toBytes } from '../../node/core/text.ts';

export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** An agent's tasks, with the instance that does them played by the test. */
export class Stage {
  readonly tasks: AgentTasks;
  readonly context = { self: 'n1', nowMs: 0, wallMs: 0, out: new Outbox() } as unknown as Context;
  readonly begun: string[] = [];
  readonly cancelled: string[] = [];
  readonly answers: MessageOf<'taskAnswer'>[] = [];
  readonly said: [string, number, string][] = [];
  readonly steps: TaskResult[] = [];
  durable: number;
  sequence: number;
  ready = true;
  recalls = 0;
  /** What a step leads to at once, before whoever recorded it goes on. */
  recorded: () => void = () => {};

  /** `kept`: what the holders kept of an instance before. */
  constructor(kept?: readonly TaskResult[]) {
    this.sequence = kept?.at(-1)?.sequence ?? 0;
    this.durable = this.sequence;
    this.tasks = new AgentTasks(this.context, 'a', {
      isReady: () => this.ready,
      run: ({ task, payload }) => void this.begun.push(`${task} ${text(payload)}`),
      joins: ({ task }) => !task.startsWith('alone'),
      recall: () => void (this.recalls += 1),
      cancel: ({ task }) => void this.cancelled.push(task),
      record: (step) => {
        const result = this.tasks.results.marked({ ...step, sequence: ++this.sequence, valueDropped: false });
        this.tasks.results.add(result);
        this.steps.push(result);
        this.recorded();
        return result;
      },
      durableSequence: () => this.durable,
      confirm: (done) => done(),
      isWanted: (task) => task !== 'unwanted',
      answer: (_task, answer) => void this.answers.push(answer),
      progress: ({ origin }, number, value) => void this.said.push([origin, number, text(value)]),
    });
    if (kept !== undefined) this.tasks.restore(kept, false);
  }

  submit(task: string, given: Partial<QueuedTask> = {}): void {
    const base = { task, payload: toBytes(task), deadlineMs: 1_000, origin: 'n1', priority: 5, key: '' };
    this.tasks.submit({ ...base, retry: '', progress: false, ...given });
  }

  /** A majority has everything. */
  settle(): void {
    this.durable = this.sequence;
    this.tasks.acknowledge(this.durable);
    this.tasks.pump();
  }

  done(value = '1'): void {
    this.tasks.onRan(this.tasks.view().running?.task ?? '', true, toBytes(value));
    this.tasks.pump();
    this.settle();
  }

  /** What ran the task is gone, and another takes its place. */
  fail(reason = 'it crashed'): void {
    this.tasks.onFailed(reason);
    this.tasks.pump();
    this.settle();
  }

  get told(): string[] {
    return this.answers.map(({ task, ok, refusal }) => `${task} ${ok ? 'done' : refusal || 'refused'}`);
  }

  /** What a holder has, for the host that comes next. */
  get kept(): TaskResult[] {
    return this.tasks.results.all();
  }
}
