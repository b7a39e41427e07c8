import type { ClusterState } from './cluster-state.ts';
import type { Context } from './context.ts';
import { type ConclaveError, type ErrorCode, errors, toErrorBody } from './errors.ts';
import type { MessageOf, NodeId } from './message.ts';
import type { Outcome } from './operation.ts';
import type { Peers } from './peers.ts';
import { limits } from './settings.ts';
import { fromBytes } from './text.ts';

export interface TaskEvents {
  /** Gives the task to this node's own instance of the agent. */
  submitHere(agent: string, task: string, payload: Uint8Array, ttlMs: number): void;
  answered(): void;
}

/** Requests that wait for one and the same task. */
const askersMax = 16;

interface Pending {
  agent: string;
  task: string;
  payload: Uint8Array;
  ttlMs: number;
  deadlineMs: number;
  /** Whoever asked, by request: each is called once. */
  done: Map<string, (outcome: Outcome<'task'>) => void>;
  sentTo: NodeId | undefined;
  sentMs: number;
}

/**
 * Tasks that came in by this node: finds the agent's host, sends the task there, and sends it again when the host
 * changed, refused for now, or said nothing. That is safe because a task takes effect once, by its id.
 */
export class Tasks {
  readonly #context: Context;
  readonly #state: ClusterState;
  readonly #peers: Peers;
  readonly #events: TaskEvents;
  readonly #pending = new Map<string, Pending>();

  constructor(context: Context, state: ClusterState, peers: Peers, events: TaskEvents) {
    this.#context = context;
    this.#state = state;
    this.#peers = peers;
    this.#events = events;
  }

  /** `request` names who asks: asked again by the same one, it is the same question. */
  ask(
    request: string,
    operation: { agent: string; task: string; payload: Uint8Array; ttlMs: number },
    done: (outcome: Outcome<'task'>) => void,
  ): void {
    const { agent, task, payload, ttlMs } = operation;
    const key = `${agent}/${task}`;
    const known = this.#pending.get(key);
    if (known !== undefined && (known.done.size < askersMax || known.done.has(request))) {
      known.done.set(request, done);
      return;
    }
    if (known !== undefined) {
      done(refusal(errors.backlogFull({ what: `requests for task "${task}"`, max: askersMax })));
      return;
    }
    if (this.#pending.size >= limits.tasksPendingMax) {
      done(refusal(errors.backlogFull({ what: 'tasks at this node', max: limits.tasksPendingMax })));
      return;
    }
    const deadlineMs = this.#context.nowMs + ttlMs;
    const asked = new Map([[request, done]]);
    const pending = { agent, task, payload, ttlMs, deadlineMs, done: asked, sentTo: undefined, sentMs: 0 };
    this.#pending.set(key, pending);
    this.#dispatch(pending);
  }

  #dispatch(pending: Pending): void {
    const { nowMs, self, out } = this.#context;
    const host = this.#state.agents.get(pending.agent)?.placement?.host;
    if (host === undefined) return;
    const ttlMs = Math.max(1, Math.floor(pending.deadlineMs - nowMs));
    if (host === self) {
      this.#events.submitHere(pending.agent, pending.task, pending.payload, ttlMs);
    } else {
      if (!this.#peers.isConnected(host)) return;
      const body = { task: pending.task, agent: pending.agent, payload: pending.payload, ttlMs };
      out.sendUrgent(host, { type: 'taskAsk', body });
    }
    pending.sentTo = host;
    pending.sentMs = nowMs;
  }

  onAnswer(from: NodeId, answer: MessageOf<'taskAnswer'>): void {
    const pending = this.#pending.get(`${answer.agent}/${answer.task}`);
    if (pending === undefined) return;
    if (answer.refusal === '') {
      this.#settle(pending, outcomeOf(answer));
      return;
    }
    if (pending.sentTo !== from) return;
    if (answer.refusal === 'backlogFull') {
      const what = `tasks of agent ${pending.agent}`;
      this.#settle(pending, refusal(errors.backlogFull({ what, max: limits.agentQueueMax })));
    } else if (answer.refusal === 'agentUnknown') {
      this.#settle(pending, refusal(errors.agentUnknown({ agent: pending.agent })));
    } else if (answer.refusal === 'resultDropped') {
      this.#settle(pending, refusal(errors.resultDropped({ agent: pending.agent, task: pending.task })));
    } else {
      // Not there, or not yet: the retry of the tick, or the next decision, finds it.
      pending.sentTo = undefined;
    }
  }

  #settle(pending: Pending, outcome: Outcome<'task'>): void {
    this.#pending.delete(`${pending.agent}/${pending.task}`);
    this.#events.answered();
    for (const done of pending.done.values()) done(outcome);
  }

  /** The agent was placed, became active, or was deleted. */
  onDecided(agent: string): void {
    const record = this.#state.agents.get(agent);
    for (const pending of this.#pending.values()) {
      if (pending.agent !== agent) continue;
      if (record === undefined) this.#settle(pending, refusal(errors.agentUnknown({ agent })));
      else if (pending.sentTo !== record.placement?.host) this.#dispatch(pending);
    }
  }

  tick(): void {
    const { nowMs, settings } = this.#context;
    for (const pending of this.#pending.values()) {
      if (nowMs >= pending.deadlineMs) {
        const what = `Task "${pending.task}" of agent "${pending.agent}"`;
        this.#settle(pending, refusal(errors.deadlineExceeded({ what, ttlMs: pending.ttlMs })));
        continue;
      }
      const host = this.#state.agents.get(pending.agent)?.placement?.host;
      const silent = nowMs - pending.sentMs >= settings.taskRetryMs;
      if (pending.sentTo === undefined || pending.sentTo !== host || silent) this.#dispatch(pending);
    }
  }
}

function refusal(error: ConclaveError): { ok: false; error: ReturnType<typeof toErrorBody> } {
  return { ok: false, error: toErrorBody(error) };
}

function outcomeOf({ agent, task, ok, value }: MessageOf<'taskAnswer'>): Outcome<'task'> {
  if (ok) return { ok: true, result: { agent, task, value: value.slice() } };
  return refusal(errors.taskFailed({ agent, task, reason: reasonOf(value) }));
}

function reasonOf(value: Uint8Array): string {
  try {
    return String((JSON.parse(fromBytes(value)) as { reason?: unknown }).reason);
  } catch {
    return 'no reason given';
  }
}

export type { ErrorCode };
