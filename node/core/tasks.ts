import { whySilent } from './agent-silence.ts';
import type { ClusterState } from './cluster-state.ts';
import type { Context } from './context.ts';
import { type ConclaveError, errors, toErrorBody } from './errors.ts';
import type { MessageOf, NodeId } from './message.ts';
import type { Outcome, TaskOperation } from './operation.ts';
import type { Peers } from './peers.ts';
import { limits } from './settings.ts';
import { whyIn } from './text.ts';

export interface TaskEvents {
  /** Gives the task to this node's own instance of the agent. */
  submitHere(ask: MessageOf<'taskAsk'>): void;
  answered(): void;
  /** Where a branch of the agent answers, for a node that hears no majority. */
  branchHost(agent: string): NodeId | undefined;
}

/** Whoever asked for a task. */
export interface Asker {
  done(outcome: Outcome<'task'>): void;
  /** Told what the task says before it is done, from 1 on; a task that begins anew begins there. */
  progress?: ((number: number, value: Uint8Array) => void) | undefined;
}

/** Requests that wait for one and the same task. */
const askersMax = 16;
export const taskPriorityDefault = 5;

interface Waiting extends Asker {
  deadlineMs: number;
  ttlMs: number;
}

interface Pending {
  agent: string;
  task: string;
  ask: Omit<MessageOf<'taskAsk'>, 'ttlMs'>;
  /** Of the most patient asker. */
  deadlineMs: number;
  /** By request: each is called once. */
  askers: Map<string, Waiting>;
  sentTo: NodeId | undefined;
  sentMs: number;
  /** How often it was sent. */
  tries: number;
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
  /** How many there are of each agent: one that is slow leaves room for the others. */
  readonly #ofAgent = new Map<string, number>();

  constructor(context: Context, state: ClusterState, peers: Peers, events: TaskEvents) {
    this.#context = context;
    this.#state = state;
    this.#peers = peers;
    this.#events = events;
  }

  /** `request` names who asks: asked again by the same one, it is the same question. */
  ask(request: string, operation: TaskOperation, asker: Asker): void {
    const { agent, task, ttlMs } = operation;
    const id = `${agent}/${task}`;
    const known = this.#pending.get(id);
    const deadlineMs = this.#context.nowMs + ttlMs;
    const isSame = known?.ask.retry === (operation.retry ?? '');
    if (known !== undefined && isSame && (known.askers.size < askersMax || known.askers.has(request))) {
      this.#join(known, request, { ...asker, deadlineMs, ttlMs }, operation.progress === true);
      return;
    }
    const full =
      known === undefined ? this.#whatIsFull(agent) : { what: `requests for task "${task}"`, max: askersMax };
    if (full !== undefined) {
      asker.done(refusal(errors.backlogFull(full)));
      return;
    }
    const pending = this.#add(id, operation, deadlineMs);
    pending.askers.set(request, { ...asker, deadlineMs, ttlMs });
    this.#dispatch(pending);
  }

  /** Each asker has its own time, and the task that of the most patient. */
  #join(pending: Pending, request: string, asker: Waiting, progress: boolean): void {
    // Asked again by the same one, it has what is left of its time, and is told all of it.
    const ttlMs = pending.askers.get(request)?.ttlMs ?? asker.ttlMs;
    pending.askers.set(request, { ...asker, ttlMs });
    pending.deadlineMs = Math.max(pending.deadlineMs, asker.deadlineMs);
    if (!progress || pending.ask.progress) return;
    pending.ask.progress = true;
    this.#dispatch(pending);
  }

  #whatIsFull(agent: string): { what: string; max: number } | undefined {
    if ((this.#ofAgent.get(agent) ?? 0) >= limits.agentEntryMax) {
      return { what: `tasks of agent ${agent} at this node`, max: limits.agentEntryMax };
    }
    if (this.#pending.size < limits.tasksPendingMax) return undefined;
    return { what: 'tasks at this node', max: limits.tasksPendingMax };
  }

  #add(id: string, operation: TaskOperation, deadlineMs: number): Pending {
    const { agent, task, payload, priority = taskPriorityDefault, key = '' } = operation;
    const { retry = '', progress = false, settledBelow } = operation;
    const marks = settledBelow !== undefined && { settledBelow };
    const ask = { agent, task, payload, priority, key, retry, progress, ...marks };
    const pending: Pending = {
      agent,
      task,
      ask,
      deadlineMs,
      askers: new Map(),
      sentTo: undefined,
      sentMs: 0,
      tries: 0,
    };
    this.#pending.set(id, pending);
    this.#ofAgent.set(agent, (this.#ofAgent.get(agent) ?? 0) + 1);
    return pending;
  }

  #dispatch(pending: Pending): void {
    const { nowMs, self, out } = this.#context;
    const { ask, deadlineMs } = pending;
    // The tick ends it.
    if (nowMs >= deadlineMs) return;
    const host = this.#hostOf(pending);
    if (host === undefined || (host !== self && !this.#peers.isConnected(host))) return;
    const provisional = this.#branchHost(pending) !== undefined;
    const body = { ...ask, ttlMs: Math.max(1, Math.floor(deadlineMs - nowMs)), ...(provisional && { provisional }) };
    // This node's own host may answer before it returns.
    pending.sentTo = host;
    pending.sentMs = nowMs;
    pending.tries += 1;
    if (host === self) this.#events.submitHere(body);
    else out.sendUrgent(host, { type: 'taskAsk', body });
  }

  /** What agents give each other, and themselves, is for the majority's history alone. */
  #branchHost({ agent, task }: Pending): NodeId | undefined {
    return task.startsWith('~') ? undefined : this.#events.branchHost(agent);
  }

  #hostOf(pending: Pending): NodeId | undefined {
    return this.#branchHost(pending) ?? this.#state.agents.get(pending.agent)?.placement?.host;
  }

  onAnswer(from: NodeId, answer: MessageOf<'taskAnswer'>): void {
    const { agent, task, refusal: code } = answer;
    const pending = this.#pending.get(`${agent}/${task}`);
    if (pending === undefined) return;
    const over = outcomeOf(answer);
    if (over !== undefined) {
      this.#settle(pending, over);
      return;
    }
    if (pending.sentTo !== from) return;
    if (code === 'backlogFull') {
      // Sent before, it may be done already: who has no room now says nothing about that. It is sent again in a while.
      if (pending.tries > 1) return;
      const { retryAfterMs } = answer;
      const full = { what: `tasks of agent ${agent}`, max: limits.agentQueueMax };
      this.#settle(
        pending,
        refusal(errors.backlogFull({ ...full, ...(retryAfterMs !== undefined && { retryAfterMs }) })),
      );
    } else if (code === 'agentUnknown') {
      this.#settle(pending, refusal(errors.agentUnknown({ agent })));
    } else if (code === 'taskUnknown') {
      this.#settle(pending, refusal(errors.taskUnknown({ agent, task })));
    } else {
      // Not there, or not yet: the retry of the tick, or the next decision, finds it.
      pending.sentTo = undefined;
    }
  }

  onProgress(from: NodeId, { agent, task, number, value }: MessageOf<'taskProgress'>): void {
    const pending = this.#pending.get(`${agent}/${task}`);
    if (pending?.sentTo !== from) return;
    for (const { progress } of pending.askers.values()) progress?.(number, value.slice());
  }

  #settle(pending: Pending, outcome: Outcome<'task'>): void {
    this.#drop(pending);
    for (const { done } of pending.askers.values()) done(outcome);
  }

  #drop({ agent, task }: Pending): void {
    this.#pending.delete(`${agent}/${task}`);
    const left = (this.#ofAgent.get(agent) ?? 0) - 1;
    if (left > 0) this.#ofAgent.set(agent, left);
    else this.#ofAgent.delete(agent);
    this.#events.answered();
  }

  /** The agent was placed, became active, or was deleted. */
  onDecided(agent: string): void {
    const record = this.#state.agents.get(agent);
    for (const pending of this.#pending.values()) {
      if (pending.agent !== agent) continue;
      if (record === undefined) this.#settle(pending, refusal(errors.agentUnknown({ agent })));
      else if (pending.sentTo !== this.#hostOf(pending)) this.#dispatch(pending);
    }
  }

  tick(): void {
    const { nowMs, settings } = this.#context;
    for (const pending of this.#pending.values()) {
      for (const [request, { done, ttlMs, deadlineMs }] of pending.askers) {
        if (nowMs < deadlineMs) continue;
        pending.askers.delete(request);
        const what = `Task "${pending.task}" of agent "${pending.agent}"`;
        const why = whySilent(this.#state, pending.agent);
        done(refusal(errors.deadlineExceeded({ what, ttlMs, ...(why !== undefined && { why }) })));
      }
      if (pending.askers.size === 0) {
        this.#drop(pending);
        continue;
      }
      const host = this.#hostOf(pending);
      const silent = nowMs - pending.sentMs >= settings.taskRetryMs;
      if (pending.sentTo === undefined || pending.sentTo !== host || silent) this.#dispatch(pending);
    }
  }
}

function refusal(error: ConclaveError): { ok: false; error: ReturnType<typeof toErrorBody> } {
  return { ok: false, error: toErrorBody(error) };
}

/** What became of a task, whoever says so; undefined when this was no more than a word about now. */
function outcomeOf({
  agent,
  task,
  ok,
  value,
  refusal: code,
  branch,
}: MessageOf<'taskAnswer'>): Outcome<'task'> | undefined {
  switch (code) {
    case '':
      if (ok) {
        const provisional = branch !== undefined && { provisional: true as const, branch };
        return { ok: true, result: { agent, task, value: value.slice(), ...provisional } };
      }
      return refusal(errors.taskFailed({ agent, task, reason: whyIn(value).reason }));
    case 'resultDropped':
      return refusal(errors.resultDropped({ agent, task }));
    case 'taskCancelled':
      return refusal(errors.taskCancelled({ agent, task }));
    case 'taskSetAside':
      return refusal(errors.taskSetAside({ agent, task, ...whyIn(value) }));
    default:
      return undefined;
  }
}
