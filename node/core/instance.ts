import { type Address, noOutputs, readOutputs } from './agent-outputs.ts';
import { AgentState, type StepChanges } from './agent-state.ts';
import type { Step } from './agent-task-events.ts';
import { AgentTasks, type Cancelled } from './agent-tasks.ts';
import type { Assignment } from './assignment.ts';
import { type Context, reportLocally } from './context.ts';
import { Handover } from './handover.ts';
import type { Holder } from './holder.ts';
import { Mail } from './mail.ts';
import { isEmpty, type Mailbox } from './mailbox.ts';
import type { MessageOf, NodeId, TaskResult } from './message.ts';
import type { Migration } from './migration.ts';
import type { AgentTasksView, Outcome, TaskOperation } from './operation.ts';
import { type Found, Recovery } from './recovery.ts';
import { Replication } from './replication.ts';
import { limits } from './settings.ts';
import { isThread, startedFrom } from './start-state.ts';
import type { StateUpdate } from './state-change.ts';
import { type StateRead, StateReads } from './state-reads.ts';
import { whatIsTooLarge } from './step-size.ts';
import type { QueuedTask } from './task-queue.ts';
import { reasonBytes } from './text.ts';

export interface InstanceEvents {
  /** The state is on a majority of the new holders: the leader may commit the epoch as active. */
  copied(agent: string, epoch: number): void;
  /** This node cannot run the agent: the leader should decide anew. */
  relinquish(agent: string, epoch: number, reason: string): void;
  /** The target of the agent's migration is prepared, or cannot be: the leader should go on, or end it. */
  prepared(said: MessageOf<'prepared'>): void;
  answer(task: QueuedTask, answer: MessageOf<'taskAnswer'>): void;
  progress(task: QueuedTask, progress: MessageOf<'taskProgress'>): void;
  /** The agents that an address means now. */
  resolve(to: Address): string[];
  /** Gives a task to another agent. */
  ask(operation: TaskOperation, done: (outcome: Outcome<'task'>) => void): void;
  /** Without a majority in reach a fenced agent acknowledges nothing. */
  mayAcknowledge(): boolean;
}

type Phase = 'sealing' | 'starting' | 'copying' | 'active' | 'ended';

const restartsMax = 5;
const unacknowledgedMax = 256;

/**
 * One agent on its host in one epoch: seals the previous holders, starts from the best state that they kept, copies it
 * to its own holders, waits until the log calls the epoch active, and then runs tasks, each acknowledged when a
 * majority of the holders has what it led to.
 */
export class Instance {
  readonly assignment: Assignment;
  readonly #context: Context;
  readonly #holder: Holder;
  readonly #events: InstanceEvents;
  readonly #tasks: AgentTasks;
  readonly #mail: Mail;
  readonly replication: Replication;
  readonly #reads: StateReads;
  /** Of what earlier epochs led to; none for a new agent. */
  recovery: Recovery | undefined;
  /** The preparation of its move to another host, if there is one. */
  readonly handover: Handover;
  #phase: Phase = 'sealing';
  #copied = false;
  #sequence = 0;
  readonly #state: AgentState;
  #workerReady = false;
  /** Failures since the last task that went well. */
  #restarts = 0;
  /** Why this node cannot run the agent; said until another epoch begins. */
  #givenUp: string | undefined;
  #retryMs = 0;

  constructor(context: Context, holder: Holder, assignment: Assignment, events: InstanceEvents) {
    this.#context = context;
    this.#holder = holder;
    this.assignment = assignment;
    this.#events = events;
    const { agent, epoch, holders } = assignment;
    this.#state = new AgentState(context.settings);
    this.#reads = new StateReads(context, holder, agent, epoch, holders);
    this.#tasks = new AgentTasks(context, agent, {
      isReady: () => this.#isReady(),
      run: ({ task, payload }) => context.out.push({ type: 'runTask', agent, epoch, task, payload }),
      cancel: ({ task }) => context.out.push({ type: 'cancelTask', agent, epoch, task }),
      record: (step, changes) => this.#record(step, changes),
      durableSequence: () => this.replication.durableSequence(),
      confirm: (done) => void this.read(done),
      isWanted: (task) => this.#mail.isWanted(task),
      answer: (task, answer) => events.answer(task, answer),
      progress: (task, number, value) => events.progress(task, { agent, task: task.task, number, value }),
    });
    this.#mail = new Mail(context, agent, assignment.created, {
      resolve: (to) => events.resolve(to),
      ask: (operation, done) => events.ask(operation, done),
      submit: (task) => this.submit(task),
      mailbox: () => this.#state.mailbox,
      settle: () => void this.#record({ task: '', ok: true, value: new Uint8Array(0) }),
    });
    this.replication = new Replication({
      context,
      holder,
      agent,
      epoch,
      holders,
      source: {
        newest: () => ({ sequence: this.#sequence, state: this.#state.all }),
        all: () => this.#tasks.results.all(),
        from: () => this.#tasks.resultsFrom,
        after: (sequence) => {
          const results = sequence === this.#sequence ? [] : this.#tasks.results.after(sequence);
          const changes = this.#state.changesAfter(sequence);
          return results && changes && { results, changes };
        },
      },
      onProgress: () => this.#onDurable(),
      onDeposed: () => this.depose(),
    });
    this.handover = new Handover({
      context,
      agent,
      replication: this.replication,
      newest: () => ({ sequence: this.#sequence, bytes: this.#state.all.length }),
      isAtRest: () => this.#tasks.at === 'rest' && this.replication.durableSequence() >= this.#sequence,
      goOn: () => this.#tasks.pump(),
      prepared: (said) => events.prepared(said),
    });
  }

  /** The log says that it is to move, or that it is not to any more. */
  onMigration(migration: Migration | undefined): void {
    if (this.#phase === 'active') this.handover.follow(migration);
  }

  get queueDepth(): number {
    return this.#tasks.length;
  }

  begin(): void {
    this.#retryMs = this.#context.nowMs + this.#context.settings.holderRetryMs;
    const { agent, epoch, previousHolders } = this.assignment;
    if (previousHolders === undefined) return this.#startWorker(undefined);
    const init = { context: this.#context, holder: this.#holder, agent, epoch, previousHolders };
    const [found, deposed] = [(best: Found | undefined) => this.#goOnFrom(best), () => this.depose()];
    this.recovery = new Recovery({ ...init, found, deposed });
    this.recovery.seal();
  }

  #goOnFrom(best: Found | undefined): void {
    if (best === undefined) {
      this.#giveUp('no holder has a checkpoint');
      return;
    }
    this.#sequence = best.sequence;
    this.#tasks.restore(best.results, this.assignment.planned);
    try {
      this.#state.takeOver(best.state, best.sequence);
    } catch (error) {
      this.#giveUp(`what its holders kept cannot be read: ${String(error)}`);
      return;
    }
    this.#startWorker(this.#state.own());
    this.replication.beginFrom(best);
    // What will run it is ready: that the epoch becomes active need not wait for it.
    if (this.assignment.planned) this.#phase = 'copying';
    this.replication.pump();
  }

  #startWorker(from: (() => Uint8Array[]) | undefined): void {
    const { agent, agentType, epoch, source, interpreter, container, isolation } = this.assignment;
    if (this.#phase === 'sealing') this.#phase = 'starting';
    this.#workerReady = false;
    this.#state.forgetAhead();
    const runtime = { source, interpreter, container, isolation };
    const wholeBytesMax = isThread(runtime) ? this.#context.settings.stateChunkBytes : Number.POSITIVE_INFINITY;
    const state = startedFrom(from?.(), wholeBytesMax);
    this.#context.out.push({ type: 'startAgent', agent, agentType, epoch, ...runtime, ...state });
  }

  /** Too much for one turn: bytes of the state that its runner is about to tell. */
  onAhead(bytes: Uint8Array): void {
    if (this.#state.tellAhead(bytes) > limits.stateBytesMax) this.#fail('its runner told more than a state may have');
  }

  onStarted(state: Uint8Array): void {
    this.#workerReady = true;
    if (this.#phase === 'starting') {
      if (this.assignment.previousHolders === undefined) {
        this.#state.begin(state);
        const problem = whatIsTooLarge(new Uint8Array(0), this.#state.ownLength, isThread(this.assignment));
        if (problem !== undefined) return this.#giveUp(problem);
      }
      this.#phase = 'copying';
      this.replication.pump();
      this.#onDurable();
    }
    this.#state.forgetAhead();
    this.#tasks.pump();
  }

  /** The log calls this epoch active: from here on it acknowledges. */
  onActive(): void {
    if (this.#phase !== 'copying') return;
    this.#phase = 'active';
    this.#tasks.pump();
    this.#onDurable();
  }

  // ---- tasks ----

  submit(task: QueuedTask): void {
    if (this.#phase === 'ended') {
      this.#tasks.refuse(task, 'agentNotReady');
      return;
    }
    this.#tasks.submit(task);
    this.acknowledge();
  }

  #isReady(): boolean {
    if (this.#phase !== 'active' || !this.#workerReady) return false;
    if (this.handover.holds && this.#tasks.at !== 'begin') return false;
    return this.#sequence - this.replication.durableSequence() <= unacknowledgedMax;
  }

  /** `outputs`: what the task leads to beside the state, as its code gave it. */
  onRan(task: string, ok: boolean, value: Uint8Array, update: StateUpdate, outputs?: Uint8Array): void {
    if (!this.#tasks.isRunning(task)) return;
    const own = this.#state.changeIn(update, ok);
    if (own === 'wrong') {
      this.#fail('its runner reported a change of another state');
      return;
    }
    const mailbox = this.#mailboxAfter(task, ok ? outputs : undefined);
    const bytes = this.#state.lengthAfter(own);
    const problem = typeof mailbox === 'string' ? mailbox : whatIsTooLarge(value, bytes, isThread(this.assignment));
    if (problem !== undefined || typeof mailbox === 'string') {
      // The instance went on from a state that cannot be kept: it starts again from the last one that can.
      this.#workerReady = false;
      this.#tasks.onRan(false, reasonBytes(problem ?? ''));
      this.#restart();
      return;
    }
    if (ok) this.#restarts = 0;
    this.#tasks.onRan(ok, value, { own, mailbox });
    this.#tasks.pump();
  }

  /** What is under way after the next step, by a task that is over; a text says what is wrong with what it gave. */
  #mailboxAfter(task: string, outputs: Uint8Array | undefined): Mailbox | string {
    const read = outputs === undefined ? noOutputs : readOutputs(outputs);
    return typeof read === 'string' ? read : this.#mail.after(this.#sequence + 1, task, read);
  }

  onProgress(task: string, value: Uint8Array): void {
    if (value.byteLength <= limits.resultBytesMax) this.#tasks.onProgress(task, value);
  }

  #record(step: Step, changes?: StepChanges): TaskResult {
    const over = step.tries === undefined ? step.task : '';
    const mailbox = changes?.mailbox ?? this.#mail.over(over);
    this.#sequence += 1;
    this.#state.apply(this.#sequence, { own: changes?.own, mailbox });
    const result = { ...step, sequence: this.#sequence, valueDropped: false };
    this.#tasks.results.add(result);
    this.replication.pump();
    return result;
  }

  /** False: this is not the time for it, or not the place. */
  cancel(task: string, done: (cancelled: Cancelled) => void): boolean {
    if (this.#phase !== 'active') return false;
    this.#tasks.cancel(task, done);
    this.acknowledge();
    return true;
  }

  tasks(): AgentTasksView {
    return this.#tasks.view();
  }

  #onDurable(): void {
    if (this.#phase === 'copying' && this.replication.durableSequence() >= this.#sequence) {
      this.#copied = true;
      this.#events.copied(this.assignment.agent, this.assignment.epoch);
    }
    this.acknowledge();
    if (this.#phase === 'active') this.handover.look();
    this.#tasks.pump();
    this.#pumpMail();
  }

  #pumpMail(): void {
    if (isEmpty(this.#state.mailbox)) this.#mail.clear();
    else if (this.#phase === 'active') this.#mail.pump(this.replication.durableSequence());
  }

  /** Answers every task whose effect a majority of holders keeps, if acknowledging is allowed now. */
  acknowledge(): void {
    if (this.#phase !== 'active' || !this.#events.mayAcknowledge()) return;
    const durable = this.replication.durableSequence();
    this.#tasks.acknowledge(durable);
    this.#reads.answer(durable);
  }

  // ---- reads ----

  /** Reads the state as of now, once a majority of holders has confirmed that this epoch still stands. */
  read(done: (read: StateRead) => void): boolean {
    if (this.#phase !== 'active') return false;
    return this.#reads.begin(this.#sequence, this.#state, done, this.onConfirmed);
  }

  readonly onConfirmed = (from: NodeId, { epoch, round, standing }: MessageOf<'confirmed'>): void => {
    const { holders } = this.assignment;
    if (epoch !== this.assignment.epoch || !holders.includes(from)) return;
    if (!standing) {
      this.depose();
      return;
    }
    this.#reads.confirm(from, round);
    this.acknowledge();
  };

  // ---- failure and end ----

  /** The running instance is gone; the agent goes on from its last state, here, unless it keeps failing. */
  onFailed(reason: string, innocent = false): void {
    if (this.#phase === 'ended') return;
    const { agent, epoch } = this.assignment;
    reportLocally(this.#context, 'agentFailed', `${agent} failed: ${reason}`, { agent, epoch, reason });
    this.#workerReady = false;
    this.#tasks.onFailed(reason, innocent);
    if (!innocent) this.#restarts += 1;
    if (!innocent && (this.#restarts > restartsMax || this.#phase === 'starting')) this.#giveUp(reason);
    else this.#startWorker(this.#state.own());
  }

  /** The running instance is not what this node believes: it is ended, and goes on as after a crash. */
  #fail(reason: string): void {
    const { agent, epoch } = this.assignment;
    this.#context.out.push({ type: 'stopAgent', agent, epoch });
    this.onFailed(reason);
  }

  #giveUp(reason: string): void {
    this.#givenUp = reason.slice(0, limits.reasonLengthMax);
    this.#events.relinquish(this.assignment.agent, this.assignment.epoch, this.#givenUp);
  }

  #restart(): void {
    const { agent, epoch } = this.assignment;
    this.#context.out.push({ type: 'stopAgent', agent, epoch });
    this.#startWorker(this.#state.own());
  }

  /** A holder is sealed at a higher epoch: another host takes over. Nothing more is acknowledged. */
  depose(): void {
    for (const task of this.end()) this.#tasks.refuse(task, 'agentNotReady');
  }

  /**
   * Ends this instance for good and returns the tasks that were not acknowledged, for whoever runs the agent next. What
   * is still on its way to it, a seal or an answer of its own disk among them, starts nothing any more.
   */
  end(): QueuedTask[] {
    if (this.#phase === 'ended') return [];
    this.#phase = 'ended';
    this.recovery?.end();
    const { agent, epoch } = this.assignment;
    this.#context.out.push({ type: 'stopAgent', agent, epoch });
    this.#reads.clear();
    this.#mail.clear();
    return this.#tasks.end();
  }

  tick(): void {
    const { nowMs, settings } = this.#context;
    this.#pumpMail();
    if (this.#phase === 'ended' || nowMs < this.#retryMs) return;
    this.#retryMs = nowMs + settings.holderRetryMs;
    if (this.#phase === 'sealing') this.recovery?.tick();
    if (this.#phase === 'copying' || this.#phase === 'active') this.replication.pump();
    const { agent, epoch } = this.assignment;
    if (this.#phase === 'copying' && this.#copied) this.#events.copied(agent, epoch);
    if (this.#givenUp !== undefined) this.#events.relinquish(agent, epoch, this.#givenUp);
    this.#reads.retry(this.onConfirmed);
    this.#tasks.tick(this.#sequence);
    if (this.#phase === 'active') this.handover.tick();
    this.acknowledge();
  }

  onReplicated(from: NodeId, answer: MessageOf<'replicated'>): void {
    if (this.#phase === 'ended') return;
    this.replication.onReplicated(from, answer);
  }
}
