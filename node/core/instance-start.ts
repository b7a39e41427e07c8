import type { AgentHistory } from './agent-history.ts';
import type { AgentTasks } from './agent-tasks.ts';
import type { Assignment } from './assignment.ts';
import { isMergeTask } from './branch.ts';
import type { BranchMerges } from './branch-merges.ts';
import { type Context, reportLocally } from './context.ts';
import { heldStep, isSameWork } from './held-step.ts';
import type { InstanceEpoch } from './instance-epoch.ts';
import type { InstanceRunner } from './instance-runner.ts';
import type { Mail } from './mail.ts';
import type { Found } from './recovery.ts';
import type { QueuedTask } from './task-queue.ts';
import type { VersionTurn } from './version-turn.ts';

export type Phase = 'sealing' | 'starting' | 'copying' | 'active' | 'ended';

/** The parts of an instance that a start begins with, or goes on with. */
export interface StartedParts {
  readonly history: AgentHistory;
  readonly tasks: AgentTasks;
  readonly mail: Mail;
  readonly merges: BranchMerges;
  readonly turn: VersionTurn;
  readonly runner: InstanceRunner;
}

export interface InstanceStartInit {
  context: Context;
  assignment: Assignment;
  epochOf(assignment: Assignment): InstanceEpoch;
  parts(): StartedParts;
  submit(task: QueuedTask): void;
  /** Whoever waits for the holders is to look again. */
  onDurable(): void;
}

/**
 * From where an instance begins in an epoch: from nothing, from the best state that the previous holders kept, or from
 * what it held itself when only its holders changed. Then its code goes on, with the task that it is at: all that was
 * ever acknowledged is in the state that its one host of that epoch came to, so no holder can have more of it.
 */
export class InstanceStart {
  readonly #init: InstanceStartInit;
  now: InstanceEpoch;
  phase: Phase = 'sealing';
  /** The epoch in which the newest step was taken, or gone on from; undefined before there is one. */
  #stepEpoch: number | undefined;

  constructor(init: InstanceStartInit) {
    this.#init = init;
    this.now = init.epochOf(init.assignment);
  }

  begin(): void {
    const { now } = this;
    const { previousHolders, branch } = now.assignment;
    if (branch?.from !== undefined) return this.#goOnFrom(branch.from);
    if (previousHolders === undefined) return this.startCode();
    const before = this.#stepEpoch;
    if (before === undefined) return now.recover(previousHolders, undefined, (best) => this.#goOnFrom(best));
    const held = () => heldStep(before, this.#init.parts().history);
    now.recover(previousHolders, held, (best, isHeld) => (isHeld ? this.#goOn(before) : this.#goBackTo(best)));
  }

  /** Whether what runs can go on where only the epoch and the holders are others. */
  mayGoOn(next: Assignment): boolean {
    const { runner, turn, merges } = this.#init.parts();
    const isUnderWay = this.phase === 'copying' || this.phase === 'active' || this.phase === 'sealing';
    if (!isUnderWay || this.#stepEpoch === undefined || next.previousHolders === undefined) return false;
    if (!runner.isReady || runner.isSuspended || turn.isNeeded || !merges.isIdle) return false;
    return isSameWork(this.now.assignment, next);
  }

  /** Nothing is acknowledged any more until the epoch is active. */
  changeHolders(next: Assignment): void {
    this.now.end();
    this.phase = 'sealing';
    this.now = this.#init.epochOf(next);
  }

  /** What the holders have is what is here, or on the way to it. */
  #goOn(before: number): void {
    const { context, parts, onDurable } = this.#init;
    const { history, runner, tasks } = parts();
    const { agent, epoch } = this.now.assignment;
    history.goOn(before);
    this.#stepEpoch = epoch;
    this.now.goOnFrom({ epoch: before, sequence: history.sequence });
    if (runner.isReady) {
      runner.renew();
      this.phase = 'copying';
      const text = `${agent} goes on in epoch ${epoch} with other holders, its code running`;
      reportLocally(context, 'agentWentOn', text, { agent, epoch, before, busy: tasks.at === 'task' });
    } else this.startCode();
    this.now.replication.pump();
    onDurable();
  }

  /** The holders have something else than what is here: it begins from that, as a new host would. */
  #goBackTo(best: Found | undefined): void {
    const { context, parts, submit } = this.#init;
    const { runner, mail, merges, tasks } = parts();
    const { agent, epoch } = this.now.assignment;
    const text = `${agent} starts anew in epoch ${epoch}: its holders have another state than what ran here`;
    reportLocally(context, 'agentWentBack', text, { agent, epoch });
    runner.stop();
    mail.clear();
    merges.clear();
    const waiting = tasks.end().filter(({ task }) => !isMergeTask(task));
    this.#goOnFrom(best);
    for (const task of waiting) submit(task);
  }

  #goOnFrom(best: Found | undefined): void {
    const { history, runner, tasks, turn } = this.#init.parts();
    const { assignment, replication } = this.now;
    if (best === undefined) return runner.giveUp('no holder has a checkpoint');
    try {
      history.goOnFrom(best);
    } catch (error) {
      return runner.giveUp(`what its holders kept cannot be read: ${String(error)}`);
    }
    this.#stepEpoch = assignment.epoch;
    // Other code is not trusted until it has started, nor with its first tasks.
    const isReady = assignment.planned && !turn.isNeeded;
    tasks.restore(best.results, isReady);
    this.startCode();
    // Its keepers have no step of the branch before its first.
    if (assignment.branch?.from === undefined) replication.beginFrom(best);
    // What will run it is ready: that the epoch becomes active need not wait for it.
    if (isReady) this.phase = 'copying';
    replication.pump();
  }

  startCode(): void {
    const { history, runner, tasks } = this.#init.parts();
    const isNew = this.phase === 'sealing' || this.phase === 'starting';
    const { previousHolders, branch } = this.now.assignment;
    if (this.phase === 'sealing') this.phase = 'starting';
    const hasState = !isNew || previousHolders !== undefined || branch !== undefined;
    runner.start(hasState ? history.state.own() : undefined);
    // What was asked back from the code before does not come.
    tasks.onStopped();
  }

  /**
   * What ran it is gone. While it is not known from where it begins, nothing is started, nor once it has ended: to record that a
   * try failed may be what shows that a later epoch has its holders.
   */
  restartCode(): void {
    if (this.phase !== 'sealing' && this.phase !== 'ended') this.startCode();
  }

  /** A new agent has made its first state. */
  begun(): void {
    this.#stepEpoch = this.now.assignment.epoch;
  }
}
