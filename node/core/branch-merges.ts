import type { AgentHistory } from './agent-history.ts';
import type { StepChanges } from './agent-state.ts';
import type { Step } from './agent-task-events.ts';
import type { AgentTasks } from './agent-tasks.ts';
import { mergeTaskOf } from './branch.ts';
import { type BranchCopy, doneByBoth, joinMailboxes, ownPart, toTakeOver } from './branch-copy.ts';
import { joined } from './bytes.ts';
import type { Context } from './context.ts';
import type { Mailbox } from './mailbox.ts';
import { encodeMerge } from './merge-payload.ts';
import type { MessageOf, TaskResult } from './message.ts';
import { isOver } from './result-table.ts';
import { limits } from './settings.ts';
import { changeBetween } from './state-change.ts';
import type { QueuedTask } from './task-queue.ts';

/** What taking a branch in needs of the agent's instance. */
export interface BranchMergesInit {
  context: Context;
  tasks: AgentTasks;
  /** It answers tasks, and could begin one now. */
  isFree(): boolean;
  history: AgentHistory;
  /** Under way after a step in which that task ended. */
  mailbox(over: string): Mailbox;
  record(step: Step, changes?: StepChanges): TaskResult;
  submit(task: QueuedTask): void;
  /** What runs the agent begins anew from its state. */
  restart(): void;
  acknowledge(): void;
}

interface Merge {
  copy: BranchCopy;
  done(answer: MessageOf<'taskAnswer'>): void;
}

/**
 * How the instance of an agent takes a branch in: as a step that is told of only together with those before it, which
 * take over what the branch's tasks were answered. Sent again they get the same answers.
 */
export class BranchMerges {
  readonly #init: BranchMergesInit;
  readonly #merges = new Map<string, Merge>();
  #isTakingOver = false;

  constructor(init: BranchMergesInit) {
    this.#init = init;
  }

  /** Steps are recorded that must not be told of alone. */
  get isTakingOver(): boolean {
    return this.#isTakingOver;
  }

  get sequence(): number {
    return this.#init.history.sequence;
  }

  /** Of the code that wrote the state; undefined while another one goes on from it. */
  get version(): number | undefined {
    const { state } = this.#init.history;
    return state.turnedTo === undefined ? state.version : undefined;
  }

  /** It is to take in no branch. */
  get isIdle(): boolean {
    return this.#merges.size === 0;
  }

  has(task: string): boolean {
    return this.#merges.has(task);
  }

  result(task: string): TaskResult | undefined {
    return this.#init.tasks.results.get(task);
  }

  /** How many tasks have ended after a step, of those that are remembered. */
  doneSince(sequence: number): number {
    const { results } = this.#init.tasks;
    return (results.after(sequence) ?? results.all()).filter(isOver).length;
  }

  /** Whether all that the branch's tasks were answered is known. */
  knowsAllOf(copy: BranchCopy): boolean {
    return toTakeOver(copy, this.#init.tasks.results).length === 0;
  }

  /** Whether every task that ended after a step is remembered. */
  remembersSince(sequence: number): boolean {
    return sequence >= this.sequence || this.#init.tasks.results.after(sequence) !== undefined;
  }

  /** Calls it once a majority has that step. */
  afterStep(sequence: number, done: () => void): void {
    this.#init.tasks.afterStep(sequence, done);
    this.#init.acknowledge();
  }

  /** The agent is where the branch began, and at nothing: the branch's state can take the place of its own. */
  mayFastForward({ base }: BranchCopy): boolean {
    const { sequence, state } = this.#init.history.newest();
    return this.#init.isFree() && sequence === base.sequence && state.checksum === base.checksum;
  }

  /** The branch becomes the history. `done` is called once a majority has it; a text says why it cannot be. */
  fastForward(copy: BranchCopy, value: Uint8Array, done: () => void): string | undefined {
    const mailbox = this.#join(copy, '');
    if (typeof mailbox === 'string') return mailbox;
    this.#takeOver(copy);
    const own = changeBetween(joined(this.#init.history.state.own()()), ownPart(copy.state));
    const step = { task: mergeTaskOf(copy.branch, copy.number), ok: true, value };
    this.#init.tasks.afterStep(this.#init.record(step, { own, mailbox }).sequence, done);
    this.#init.restart();
    return undefined;
  }

  /** Has the agent's code take the branch in, as a task of its own; `done` is told what became of it, for good. */
  begin(copy: BranchCopy, done: Merge['done']): void {
    const task = mergeTaskOf(copy.branch, copy.number);
    this.#merges.set(task, { copy, done });
    const { nowMs, self } = this.#init.context;
    const asked = { task, payload: new Uint8Array(0), origin: self, priority: limits.taskPriorityMax };
    const deadlineMs = nowMs + limits.taskTtlMsMax;
    this.#init.submit({ ...asked, deadlineMs, key: '', retry: '', progress: false });
  }

  /** What its code is given; undefined of any other task. */
  payload(task: string): Uint8Array | undefined {
    const copy = this.#merges.get(task)?.copy;
    if (copy === undefined) return undefined;
    const both = doneByBoth(copy, this.#init.tasks.results);
    return encodeMerge({ branch: copy.branch, both, base: ownPart(copy.baseState), theirs: ownPart(copy.state) });
  }

  /** What is under way once its code has taken the branch in; undefined of any other task. A text: it cannot be that much. */
  mailboxAfter(task: string): Mailbox | string | undefined {
    const copy = this.#merges.get(task)?.copy;
    return copy && this.#join(copy, task);
  }

  /** Right before the step of that task. */
  takeOver(task: string): void {
    const copy = this.#merges.get(task)?.copy;
    if (copy !== undefined) this.#takeOver(copy);
  }

  /** Whether the answer was for whoever wanted the branch in. */
  answer({ task }: QueuedTask, answer: MessageOf<'taskAnswer'>): boolean {
    const merge = this.#merges.get(task);
    this.#merges.delete(task);
    merge?.done(answer);
    return merge !== undefined;
  }

  clear(): void {
    this.#merges.clear();
  }

  #stepAfter(copy: BranchCopy): number {
    return this.sequence + toTakeOver(copy, this.#init.tasks.results).length + 1;
  }

  #join(copy: BranchCopy, over: string): Mailbox | string {
    const { results } = this.#init.tasks;
    return joinMailboxes(copy, this.#init.mailbox(over), this.#stepAfter(copy), results);
  }

  #takeOver(copy: BranchCopy): void {
    this.#isTakingOver = true;
    for (const { task, ok, value, cancelled } of toTakeOver(copy, this.#init.tasks.results)) {
      this.#init.record({ task, ok, value, ...(cancelled !== undefined && { cancelled }) });
    }
    this.#isTakingOver = false;
  }
}
