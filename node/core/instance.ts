import { AgentHistory } from './agent-history.ts';
import type { StepChanges } from './agent-state.ts';
import type { Cancelled, Step } from './agent-task-events.ts';
import { AgentTasks } from './agent-tasks.ts';
import type { Assignment } from './assignment.ts';
import { isMergeTask } from './branch.ts';
import { BranchMerges } from './branch-merges.ts';
import type { Context } from './context.ts';
import type { Handover } from './handover.ts';
import type { Holder } from './holder.ts';
import { InstanceEpoch } from './instance-epoch.ts';
import type { InstanceEvents } from './instance-events.ts';
import { InstanceRunner } from './instance-runner.ts';
import { InstanceStart } from './instance-start.ts';
import { isTimerTask, Mail, senderOf } from './mail.ts';
import { isEmpty } from './mailbox.ts';
import type { MessageOf, NodeId, TaskResult } from './message.ts';
import type { Migration } from './migration.ts';
import type { AgentTasksView } from './operation.ts';
import { ReceivedLetters } from './received-letters.ts';
import type { Found, Recovery } from './recovery.ts';
import type { Replication } from './replication.ts';
import { limits } from './settings.ts';
import { isThread, mayBeLarge } from './start-state.ts';
import type { StateRead } from './state-reads.ts';
import { changesBy, type Ran } from './step-changes.ts';
import { whatIsTooLarge } from './step-size.ts';
import { type QueuedTask, refusalOf } from './task-queue.ts';
import { reasonBytes } from './text.ts';
import { VersionTurn } from './version-turn.ts';

const unacknowledgedMax = 256;
const nothing = new Uint8Array(0);

/**
 * One agent on its host: seals the previous holders, starts from the best state that they kept, copies it to its own
 * holders, waits until the log calls the epoch active, and then runs tasks, each acknowledged when a majority of the
 * holders has what it led to. Where only the holders change it does the same again in the epoch of that, while its code
 * goes on.
 */
export class Instance {
  readonly #context: Context;
  readonly #holder: Holder;
  readonly #events: InstanceEvents;
  readonly #tasks: AgentTasks;
  readonly #mail: Mail;
  readonly #at: InstanceStart;
  readonly #history: AgentHistory;
  /** How it goes on from what another version of its code wrote. */
  readonly turn: VersionTurn;
  readonly runner: InstanceRunner;
  /** How branches of it are taken in. */
  readonly merges: BranchMerges;
  readonly letters: ReceivedLetters;
  #retryMs = 0;

  constructor(context: Context, holder: Holder, assignment: Assignment, events: InstanceEvents) {
    this.#context = context;
    this.#holder = holder;
    this.#events = events;
    const { agent } = assignment;
    this.#tasks = new AgentTasks(context, agent, {
      isReady: () => this.#isReady(),
      run: (task) => this.runner.run(task, this.merges.payload(task.task)),
      // A timer may be taken back by the task before it, and a branch takes the place of what is there.
      joins: ({ task }) => isThread(this.assignment) && !isTimerTask(task) && !isMergeTask(task),
      recall: () => this.runner.recall(),
      cancel: ({ task }) => this.runner.cancel(task),
      record: (step, changes) => this.#record(this.runner.refusals.noted(step), changes),
      durableSequence: () => this.replication.durableSequence(),
      confirm: (done) => void this.read(done),
      isWanted: (task) => this.#mail.isWanted(task),
      answer: (task, answer) => this.#answer(task, answer),
      progress: (task, number, value) => events.progress(task, { agent, task: task.task, number, value }),
    });
    this.letters = new ReceivedLetters(this.#tasks, (step) => void this.#record(step));
    this.#history = new AgentHistory(context.settings, this.#tasks, assignment.partition === 'autonomous');
    this.#at = new InstanceStart({
      ...{ context, assignment, epochOf: (assignment: Assignment) => this.#epochOf(assignment) },
      parts: () => ({
        ...{ history: this.#history, tasks: this.#tasks, mail: this.#mail },
        ...{ merges: this.merges, turn: this.turn, runner: this.runner },
      }),
      submit: (task) => this.submit(task),
      onDurable: () => this.#onDurable(),
    });
    this.turn = new VersionTurn({
      assignment,
      state: this.#history.state,
      isActive: () => this.#at.phase === 'active',
      record: (changes) => void this.#record({ task: '', ok: true, value: nothing }, changes),
    });
    const [turn, state] = [this.turn, this.#history.state];
    this.runner = new InstanceRunner({ context, assignment: () => this.assignment, turn, state, events });
    this.#mail = new Mail(context, assignment.branch?.agent ?? agent, senderOf(assignment), {
      resolve: (to) => events.resolve(to),
      ask: (operation, done) => events.ask(operation, done),
      submit: (task) => this.submit(task),
      mailbox: () => state.mailbox,
      sequence: () => this.#history.sequence,
      settle: () => void this.#record({ task: '', ok: true, value: nothing }),
    });
    this.merges = new BranchMerges({
      ...{ context, tasks: this.#tasks, history: this.#history },
      isFree: () => this.isActive && this.runner.isReady && this.#tasks.at === 'rest',
      mailbox: (over) => this.#mail.over(over),
      record: (step, changes) => this.#record(step, changes),
      submit: (task) => this.submit(task),
      restart: () => this.#at.restartCode(),
      acknowledge: () => this.acknowledge(),
    });
  }

  #epochOf(assignment: Assignment): InstanceEpoch {
    return new InstanceEpoch({
      ...{ context: this.#context, holder: this.#holder, assignment, history: this.#history, tasks: this.#tasks },
      prepared: (said) => this.#events.prepared(said),
      onProgress: () => this.#onDurable(),
      onDeposed: () => this.depose(),
    });
  }

  get assignment(): Assignment {
    return this.#at.now.assignment;
  }

  get replication(): Replication {
    return this.#at.now.replication;
  }

  get recovery(): Recovery | undefined {
    return this.#at.now.recovery;
  }

  get handover(): Handover {
    return this.#at.now.handover;
  }

  /** The log says that it is to move, or that it is not to any more. */
  onMigration(migration: Migration | undefined): void {
    if (this.#at.phase === 'active') this.handover.follow(migration);
  }

  get queueDepth(): number {
    return this.#tasks.length;
  }

  begin(): void {
    this.#retryMs = this.#context.nowMs + this.#context.settings.holderRetryMs;
    this.#at.begin();
  }

  /**
   * Other holders, in an epoch of their own: what runs goes on, with the task that it is at. False: that cannot be, and
   * another instance is to begin as on a new host.
   */
  changeHolders(next: Assignment): boolean {
    if (!this.#at.mayGoOn(next)) return false;
    this.#at.changeHolders(next);
    this.begin();
    return true;
  }

  /** Too much for one turn: bytes of the state that its runner is about to tell. */
  onAhead(bytes: Uint8Array): void {
    if (this.#history.state.tellAhead(bytes) <= limits.stateBytesMax) return;
    this.runner.stop();
    this.onFailed('its runner told more than a state may have');
  }

  onStarted(state: Uint8Array): void {
    this.runner.onStarted();
    const { previousHolders, branch, version } = this.assignment;
    const isNew = this.#at.phase === 'starting' && previousHolders === undefined && branch === undefined;
    const bytes = this.#history.state.aheadBytes + state.byteLength;
    const problem = whatIsTooLarge(nothing, bytes, mayBeLarge(this.assignment));
    if (problem !== undefined && (isNew || this.turn.isNeeded)) return this.runner.giveUp(problem);
    if (isNew) {
      this.#history.begin(state, version);
      this.#at.begun();
    } else this.turn.started(state);
    if (this.#at.phase === 'starting') {
      this.#at.phase = 'copying';
      this.replication.pump();
      this.#onDurable();
    }
    this.#history.state.forgetAhead();
    this.#tasks.pump();
  }

  /** The log calls this epoch active: from here on it acknowledges. */
  onActive(): void {
    if (this.#at.phase !== 'copying') return;
    this.#at.phase = 'active';
    this.#tasks.pump();
    this.#onDurable();
  }

  // ---- tasks ----

  submit(task: QueuedTask): void {
    if (this.#at.phase === 'ended' || this.runner.isSuspended) return this.#refuse(task);
    this.#tasks.submit(task);
    this.acknowledge();
  }

  #isReady(): boolean {
    if (this.#at.phase !== 'active' || !this.runner.isReady) return false;
    if (this.handover.holds && this.#tasks.at !== 'begin') return false;
    return this.#history.sequence - this.replication.durableSequence() <= unacknowledgedMax;
  }

  onRan(ran: Ran): void {
    const { task, ok, value } = ran;
    if (!this.#tasks.isRunning(task)) return;
    const mailbox = ok ? this.merges.mailboxAfter(task) : undefined;
    const { state, sequence } = this.#history;
    const mayGrow = mayBeLarge(this.assignment);
    const changes = changesBy(ran, { state, mail: this.#mail, sequence: sequence + 1, mailbox, mayGrow });
    if (typeof changes === 'string') this.runner.stop();
    // What runs is not what this node believes: it goes on as after a crash.
    if (changes === 'wrong') this.onFailed('its runner reported a change of another state');
    else if (typeof changes === 'string') {
      // The instance went on from a state that cannot be kept: it starts again from the last one that can.
      this.#tasks.onRan(task, false, reasonBytes(changes));
      this.#tasks.onStopped();
      this.#at.restartCode();
    } else {
      if (ok) this.runner.onWell();
      if (mailbox !== undefined) this.merges.takeOver(task);
      this.#tasks.onRan(task, ok, value, changes);
      this.#tasks.pump();
    }
  }

  readonly onReturned = (tasks: readonly string[]): void => this.#tasks.onReturned(tasks);

  onProgress(task: string, value: Uint8Array): void {
    if (value.byteLength <= limits.resultBytesMax) this.#tasks.onProgress(task, value);
  }

  #record(step: Step, changes?: StepChanges): TaskResult {
    const mailbox = changes?.mailbox ?? this.#mail.over(step.tries === undefined ? step.task : '');
    const durable = this.replication.durableSequence();
    const result = this.#history.add(step, { ...changes, own: changes?.own, mailbox }, durable);
    if (!this.merges.isTakingOver && this.#at.phase !== 'sealing') this.replication.pump();
    return result;
  }

  /** False: this is not the time for it, or not the place. */
  cancel(task: string, done: (cancelled: Cancelled) => void, waitsElsewhere = false): boolean {
    if (!this.isActive) return false;
    this.#tasks.cancel(task, done, waitsElsewhere);
    this.acknowledge();
    return true;
  }

  tasks(): AgentTasksView {
    return this.#tasks.view();
  }

  #onDurable(): void {
    this.#tellCopied();
    this.acknowledge();
    if (this.#at.phase === 'active') this.handover.look();
    this.#tasks.pump();
    this.#pumpMail();
  }

  #tellCopied(): void {
    if (this.#at.phase !== 'copying' || this.replication.durableSequence() < this.#history.sequence) return;
    this.#events.copied(this.assignment.agent, this.assignment.epoch, this.#history.from);
  }

  #pumpMail(): void {
    // What a branch's tasks send waits for its reconciliation.
    if (this.assignment.branch !== undefined || this.runner.isSuspended) return;
    if (isEmpty(this.#history.state.mailbox)) this.#mail.clear();
    else if (this.#at.phase === 'active') this.#mail.pump(this.replication.durableSequence());
  }

  /** Answers every task whose effect a majority of holders keeps, if acknowledging is allowed now. */
  acknowledge(): void {
    if (this.#at.phase !== 'active' || !this.#events.mayAcknowledge()) return;
    const durable = this.replication.durableSequence();
    this.#tasks.acknowledge(durable);
    this.#at.now.reads.answer(durable);
  }

  // ---- reads ----

  /** Reads the state as of now, once a majority of holders has confirmed that this epoch still stands. */
  read(done: (read: StateRead) => void): boolean {
    if (this.#at.phase !== 'active') return false;
    return this.#at.now.reads.begin(this.#history.sequence, this.#history.state, done, this.onConfirmed);
  }

  readonly onConfirmed = (from: NodeId, confirmed: MessageOf<'confirmed'>): void => {
    const standing = this.#at.now.reads.onConfirmed(from, confirmed);
    if (standing === false) this.depose();
    if (standing === true) this.acknowledge();
  };

  // ---- branches ----

  /** What a branch of the agent can begin from: the newest step that is surely part of its history. */
  base(): Found | undefined {
    const durable = this.replication.durableSequence();
    return this.#at.phase === 'active' ? this.#history.base(this.assignment.epoch, durable) : undefined;
  }

  /** A branch begins here: what runs the agent makes way, and its tasks are to go to the branch. */
  suspend(): void {
    if (this.#at.phase === 'ended' || this.runner.isSuspended) return;
    this.runner.suspend();
    this.merges.clear();
    for (const task of this.#tasks.end()) this.#refuse(task);
  }

  /** No branch runs here any more: it goes on from its own state. */
  resume(): void {
    if (!this.runner.isSuspended) return;
    this.runner.resume();
    if (this.#at.phase !== 'ended') this.#at.restartCode();
  }

  get hasEnded(): boolean {
    return this.#at.phase === 'ended';
  }

  /** It answers tasks. */
  get isActive(): boolean {
    return this.#at.phase === 'active' && !this.runner.isSuspended;
  }

  #answer(task: QueuedTask, answer: MessageOf<'taskAnswer'>): void {
    if (!this.merges.answer(task, answer)) this.#events.answer(task, answer);
  }

  #refuse(task: QueuedTask): void {
    this.#answer(task, refusalOf(task, this.assignment.agent));
  }

  // ---- failure and end ----

  /** The running instance is gone; the agent goes on from its last state, here, unless it keeps failing. */
  onFailed(reason: string, innocent = false): void {
    if (this.#at.phase === 'ended') return;
    const waitMs = this.runner.onFailed(reason, innocent || this.#at.phase === 'sealing', this.#tasks.at === 'task');
    this.#tasks.onFailed(reason, innocent);
    if (waitMs === undefined || (!innocent && this.#at.phase === 'starting')) this.runner.giveUp(reason);
    else if (waitMs === 0) this.#at.restartCode();
    if (!innocent) this.runner.tell();
  }

  /** A holder is sealed at a higher epoch: another host takes over. Nothing more is acknowledged. */
  depose(): void {
    for (const task of this.end()) this.#refuse(task);
  }

  /**
   * Ends this instance for good and returns the tasks that were not acknowledged, for whoever runs the agent next. What
   * is still on its way to it, a seal or an answer of its own disk among them, starts nothing any more.
   */
  end(): QueuedTask[] {
    if (this.#at.phase === 'ended') return [];
    this.#at.phase = 'ended';
    this.recovery?.end();
    this.runner.stop();
    this.#at.now.reads.clear();
    this.#mail.clear();
    this.merges.clear();
    return this.#tasks.end().filter(({ task }) => !isMergeTask(task));
  }

  tick(): void {
    const { nowMs, settings } = this.#context;
    this.#pumpMail();
    if (this.#at.phase === 'ended') return;
    if (this.runner.takeDue()) this.#at.restartCode();
    if (this.#at.phase === 'active') this.handover.tick();
    this.#tasks.look();
    if (nowMs < this.#retryMs) return;
    this.#retryMs = nowMs + settings.holderRetryMs;
    if (this.#at.phase === 'sealing') this.recovery?.tick();
    if (this.#at.phase === 'copying' || this.#at.phase === 'active') this.replication.pump();
    this.#tellCopied();
    this.runner.sayAgain();
    this.runner.tell();
    this.#at.now.reads.retry(this.onConfirmed);
    this.#tasks.tick(this.#history.sequence);
    this.acknowledge();
  }

  onReplicated(from: NodeId, answer: MessageOf<'replicated'>): void {
    if (this.#at.phase === 'ended') return;
    this.replication.onReplicated(from, answer);
  }
}
