import { type Context, reportLocally } from './context.ts';
import type { MessageOf, NodeId } from './message.ts';
import type { Migration } from './migration.ts';
import type { Replication } from './replication.ts';

export interface HandoverInit {
  context: Context;
  agent: string;
  replication: Replication;
  /** The newest step of the agent here. */
  newest(): { sequence: number; bytes: number };
  /** It runs no task. */
  isIdle(): boolean;
  /** What it runs. */
  task(): string | undefined;
  /** All that it ran is durable. */
  isDurable(): boolean;
  /** It may take tasks again. */
  goOn(): void;
  /** For the leader: the target is prepared; or with a reason that it cannot be. */
  prepared(said: MessageOf<'prepared'>): void;
}

/** So many steps may the target be behind when the agent is asked to rest: one message brings them. */
const behindMax = 64;

/**
 * The preparation of a move, on the agent's host: the target gets the state as one more receiver, which does not count,
 * while the agent goes on. Once it has that, and what will run the agent is there, the agent takes no new task, and when
 * the last one is durable the leader is told that it can be switched over. From when it is at no task the rest lasts for
 * `handoverHoldMs` at most: with a leader that says nothing, or a target that does not get the last steps, it goes on, and
 * it is tried again later.
 */
export class Handover {
  readonly #init: HandoverInit;
  #migration: Migration | undefined;
  #isThere = false;
  #holds = false;
  #restsSinceMs: number | undefined;
  #notBeforeMs = 0;
  /** The target has to have this step first. */
  #notBefore = 0;
  #saidMs = Number.NEGATIVE_INFINITY;

  constructor(init: HandoverInit) {
    this.#init = init;
  }

  /** The agent is to take no new task. */
  get holds(): boolean {
    return this.#holds;
  }

  /** The log says that the agent is to move, or that it is not to any more. */
  follow(migration: Migration | undefined): void {
    if (this.#migration?.since === migration?.since) return;
    this.#migration = migration;
    this.#isThere = false;
    this.#notBeforeMs = 0;
    this.#notBefore = 0;
    const { replication } = this.#init;
    replication.prepare(migration?.target);
    replication.pump();
    this.#goOn();
  }

  /** The task that has to end before it can be switched over; undefined while that waits for something else. */
  get waitsForTask(): string | undefined {
    return this.#holds && !this.#init.isIdle() ? this.#init.task() : undefined;
  }

  /** Bytes of the state that the target has, of so many in all; undefined when there is no move. */
  progress(): { copied: number; bytes: number; task: string | undefined } | undefined {
    if (this.#migration === undefined) return undefined;
    const { bytes } = this.#init.newest();
    const { replication } = this.#init;
    const { target } = this.#migration;
    const copied = replication.ackedBy(target) >= 0 ? bytes : replication.copiedBy(target);
    return { copied: Math.min(copied, bytes), bytes, task: this.waitsForTask };
  }

  /** The target says that what will run the agent is there, or why it is not. */
  onPrepared(from: NodeId, { since, reason }: MessageOf<'prepared'>): void {
    const { target, since: mine } = this.#migration ?? {};
    if (from !== target || since !== mine) return;
    if (reason === '') this.#isThere = true;
    else this.#say(since, 0, reason);
    this.look();
  }

  /** Something happened on which the next step may depend. */
  look(): void {
    if (this.#migration === undefined || !this.#isThere) return;
    const { target, since } = this.#migration;
    const { context, replication } = this.#init;
    const { nowMs } = context;
    const { sequence, bytes } = this.#init.newest();
    const acked = replication.ackedBy(target);
    if (acked < 0) return;
    if (!this.#holds) {
      if (nowMs < this.#notBeforeMs || acked < this.#notBefore || sequence - acked > behindMax) return;
      this.#holds = true;
    }
    if (!this.#init.isIdle()) return;
    this.#restsSinceMs ??= nowMs;
    if (acked < sequence || !this.#init.isDurable()) return;
    if (nowMs - this.#saidMs >= context.settings.retryIntervalMs) this.#say(since, bytes, '');
  }

  #say(since: number, bytes: number, reason: string): void {
    const { context, agent, prepared } = this.#init;
    this.#saidMs = context.nowMs;
    prepared({ agent, since, bytes, reason });
  }

  tick(): void {
    const { nowMs, settings } = this.#init.context;
    if (this.#restsSinceMs !== undefined && nowMs - this.#restsSinceMs >= settings.handoverHoldMs) this.#putOff();
    this.look();
  }

  /** It has rested long enough. */
  #putOff(): void {
    const { context, agent, replication } = this.#init;
    const { target = '' } = this.#migration ?? {};
    const { sequence } = this.#init.newest();
    const lacks = Math.max(0, sequence - replication.ackedBy(target));
    const why = lacks > 0 ? 'its target did not get its last steps' : 'nobody said that it is to be switched over';
    const text = `${agent} goes on where it is, as ${why}; it is tried again`;
    reportLocally(context, 'handoverPutOff', text, { agent, target, lacks });
    this.#notBeforeMs = context.nowMs + context.settings.handoverHoldMs;
    this.#notBefore = sequence;
    this.#goOn();
  }

  #goOn(): void {
    const held = this.#holds;
    this.#holds = false;
    this.#restsSinceMs = undefined;
    this.#saidMs = Number.NEGATIVE_INFINITY;
    if (held) this.#init.goOn();
  }
}
