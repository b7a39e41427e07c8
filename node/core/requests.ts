import type { Context } from './context.ts';
import type { Decisions } from './decisions.ts';
import { type ErrorCode, errors, toErrorBody } from './errors.ts';
import type { Hosting } from './hosting.ts';
import { isKv, isKvWrite } from './kv.ts';
import type { MessageOf, NodeId } from './message.ts';
import type { Operation, Outcome } from './operation.ts';
import { checkOperation } from './operation-check.ts';
import { encodeOperation } from './operation-codec.ts';
import type { Operator } from './operator.ts';
import type { Peers } from './peers.ts';
import { consistencyOf, isQuery, Queries } from './queries.ts';
import { limits } from './settings.ts';
import type { Tasks } from './tasks.ts';
import { fromBytes, fromJson, toBytes, toJson } from './text.ts';
import type { Views } from './views.ts';

type Done = (outcome: Outcome) => void;

interface Pending {
  id: string;
  operation: Operation;
  done: Done;
  deadlineMs: number;
  /** Log index that was applied here when it was asked: whatever it leads to comes behind it. */
  since: number;
  sentTo: NodeId | undefined;
  sentMs: number;
  tries: number;
}

/** Outcomes that another node, or this one a moment later, may better. */
const retried: readonly ErrorCode[] = ['notLeader', 'leaderUnknown', 'agentNotReady', 'notMember'];

/** What changes the log; of the rest nothing is worse for being done twice, and a task has an id of its own. */
const commands: ReadonlySet<Operation['type']> = new Set(['deploy', 'delete', 'migrate', 'kvPut', 'kvDelete']);

/**
 * What users ask, at whatever node: answered here when this node can, else passed on to the one that can, again and
 * again until the deadline when leaders or hosts change on the way.
 */
export class Requests {
  readonly #context: Context;
  readonly #decisions: Decisions;
  readonly #peers: Peers;
  readonly #hosting: Hosting;
  readonly #tasks: Tasks;
  readonly #queries: Queries;
  readonly #operator: Operator;
  readonly #pending = new Map<string, Pending>();
  /** Asked of this leader before it was ready; empty again when it is, or leads no longer. */
  #held: { operation: Operation; done: Done }[] = [];
  /** What became of commands that others passed on, by asker and request; nothing yet for those under way. Bounded. */
  readonly #forwarded = new Map<string, Outcome | undefined>();
  #count = 0;

  constructor(init: {
    context: Context;
    decisions: Decisions;
    peers: Peers;
    hosting: Hosting;
    tasks: Tasks;
    views: Views;
    operator: Operator;
  }) {
    this.#context = init.context;
    this.#decisions = init.decisions;
    this.#peers = init.peers;
    this.#hosting = init.hosting;
    this.#tasks = init.tasks;
    this.#queries = new Queries(init.context, init.decisions, init.views);
    this.#operator = init.operator;
  }

  ask(operation: Operation, done: Done): void {
    if (this.#pending.size >= limits.forwardsPendingMax) {
      const max = limits.forwardsPendingMax;
      done({ ok: false, error: toErrorBody(errors.backlogFull({ what: 'requests at this node', max })) });
      return;
    }
    this.#count += 1;
    const id = `${this.#context.self.slice(-8)}-${this.#context.boot}-${this.#count}`;
    const named = operation.type === 'deploy' ? { ...operation, request: operation.request ?? id } : operation;
    const ttlMs = 'ttlMs' in operation ? operation.ttlMs : this.#context.settings.operationTimeoutMs;
    const deadlineMs = this.#context.nowMs + ttlMs;
    const since = this.#decisions.state.index;
    const pending = { id, operation: named, done, deadlineMs, since, sentTo: undefined, sentMs: 0, tries: 0 };
    this.#pending.set(id, pending);
    this.#dispatch(pending);
  }

  #dispatch(pending: Pending): void {
    const { nowMs, self, out } = this.#context;
    pending.sentMs = nowMs;
    const target = this.#whoCan(pending.operation);
    pending.sentTo = target;
    if (target === self) {
      pending.tries += 1;
      this.#perform(pending.id, this.#forThisTry(pending), (outcome) => this.#onOutcome(pending, outcome));
    } else if (target !== undefined && this.#peers.isConnected(target)) {
      pending.tries += 1;
      const operation = encodeOperation(this.#forThisTry(pending));
      out.sendUrgent(target, { type: 'forward', body: { request: pending.id, operation } });
    } else pending.sentTo = undefined;
  }

  /** Tried again, an operation has no more time than it was given at first, and no key is written twice. */
  #forThisTry({ operation, deadlineMs, tries, since }: Pending): Operation {
    if (isKvWrite(operation) && tries > 1) return { ...operation, since };
    if (!('ttlMs' in operation)) return operation;
    return { ...operation, ttlMs: Math.max(1, Math.floor(deadlineMs - this.#context.nowMs)) };
  }

  /** The node that can do it, as far as this one knows; undefined when nobody can at the moment. */
  #whoCan(operation: Operation): NodeId | undefined {
    const { self } = this.#context;
    const leader = this.#decisions.mayLead() ? self : this.#decisions.leader || undefined;
    const consistency = consistencyOf(operation);
    if (consistency !== undefined) return consistency === 'stale' ? self : leader;
    switch (operation.type) {
      case 'status':
      case 'nodes':
      case 'agents':
        return self;
      case 'agent':
        return this.#decisions.state.agents.has(operation.agent) ? self : leader;
      case 'task': {
        const agent = this.#decisions.state.agents.get(operation.agent);
        const host = agent?.placement?.host;
        const isInReach = host === undefined || host === self || this.#peers.isConnected(host);
        return agent !== undefined && isInReach ? self : leader;
      }
      case 'state': {
        const agent = this.#decisions.state.agents.get(operation.agent);
        return agent === undefined ? leader : agent.placement?.host;
      }
      default:
        return leader;
    }
  }

  /** Does it here, or says why not. */
  #perform(request: string, operation: Operation, done: Done): void {
    const consistency = consistencyOf(operation);
    if (isQuery(operation) && consistency !== 'leader' && consistency !== 'linearizable') {
      const isThere = operation.type !== 'agent' || this.#decisions.state.agents.has(operation.agent);
      if (consistency === 'stale' || isThere) return done(this.#queries.answer(operation));
      return this.#unknownAgent(operation.agent, done);
    }
    switch (operation.type) {
      case 'task':
        if (!this.#decisions.state.agents.has(operation.agent)) return this.#unknownAgent(operation.agent, done);
        return this.#tasks.ask(request, operation, done);
      case 'state':
        return this.#readState(operation.agent, done);
      default:
        return this.#lead(operation, done);
    }
  }

  /** A leader that is about to know everything keeps what it is asked until it does. */
  #lead(operation: Operation, done: Done): void {
    const { leader } = this.#decisions;
    // Others may have elected another leader, whose log says otherwise.
    const otherwise = (): Outcome => ({ ok: false, error: toErrorBody(errors.notLeader({ leader: '' })) });
    if (this.#decisions.mayLead()) {
      if (isQuery(operation)) {
        if (operation.consistency === 'leader') return done(this.#queries.answer(operation));
        return this.#decisions.read((leads) => done(leads ? this.#queries.answer(operation) : otherwise()));
      }
      this.#operator.perform(operation, (outcome) => {
        // What became of a key is said at its place in the log, and a read that is not linearizable says no more than it can.
        if (outcome.ok || isKv(operation) || retried.includes(outcome.error.code)) return done(outcome);
        this.#decisions.read((leads) => done(leads ? outcome : otherwise()));
      });
    } else if (leader === this.#context.self && this.#held.length < limits.forwardsPendingMax) {
      this.#held.push({ operation, done });
    } else done({ ok: false, error: toErrorBody(errors.notLeader({ leader })) });
  }

  /** Only the leader knows that an agent does not exist, and only while it leads; others may not have heard of it yet. */
  #unknownAgent(agent: string, done: Done): void {
    const notReady: Outcome = { ok: false, error: toErrorBody(errors.agentNotReady({ agent })) };
    if (!this.#decisions.mayLead()) return done(notReady);
    this.#decisions.read((leads) => {
      const isUnknown = leads && !this.#decisions.state.agents.has(agent);
      done(isUnknown ? { ok: false, error: toErrorBody(errors.agentUnknown({ agent })) } : notReady);
    });
  }

  #readState(agent: string, done: Done): void {
    if (!this.#decisions.state.agents.has(agent)) return this.#unknownAgent(agent, done);
    const began = this.#hosting.get(agent)?.read((state) => done({ ok: true, result: { agent, ...state } }));
    if (began !== true) done({ ok: false, error: toErrorBody(errors.agentNotReady({ agent })) });
  }

  #onOutcome(pending: Pending, outcome: Outcome): void {
    if (this.#pending.get(pending.id) !== pending) return;
    if (!outcome.ok && retried.includes(outcome.error.code)) {
      // The tick tries again. Of a key, this try did nothing.
      if (outcome.error.code === 'notLeader' && isKvWrite(pending.operation)) pending.tries -= 1;
      pending.sentTo = undefined;
      return;
    }
    this.#pending.delete(pending.id);
    const { operation } = pending;
    const gone = !outcome.ok && outcome.error.code === 'agentUnknown' && operation.type === 'delete';
    // An earlier try, whose answer was lost, has deleted it.
    if (gone && pending.tries > 1) pending.done({ ok: true, result: { agent: operation.agent } });
    else pending.done(outcome);
  }

  // ---- between nodes ----

  onForward(from: NodeId, { request, operation }: MessageOf<'forward'>): void {
    const checked = checkOperation(operation);
    const isUrgent = checked.ok && isKv(checked.operation);
    const reply = (outcome: Outcome) => {
      const body = toBytes(toJson(outcome));
      const { out } = this.#context;
      const answer = { type: 'answer' as const, body: { request, ok: outcome.ok, body } };
      if (isUrgent) out.sendUrgent(from, answer);
      else out.send(from, answer);
    };
    const key = `${from}/${request}`;
    if (!checked.ok) reply({ ok: false, error: toErrorBody(errors.bodyMalformed({ reason: checked.reason })) });
    else if (commands.has(checked.operation.type)) this.#performOnce(key, checked.operation, reply);
    else this.#perform(key, checked.operation, reply);
  }

  /** A frame that comes a second time must not do what was refused, or done and undone, meanwhile. */
  #performOnce(key: string, operation: Operation, reply: Done): void {
    const known = this.#forwarded.get(key);
    if (known !== undefined) reply(known);
    if (this.#forwarded.has(key)) return;
    this.#forwarded.set(key, undefined);
    for (const oldest of this.#forwarded.keys()) {
      if (this.#forwarded.size <= limits.requestsRememberedMax) break;
      this.#forwarded.delete(oldest);
    }
    this.#perform(key, operation, (outcome) => {
      // Tried again, it may do better.
      if (!outcome.ok && retried.includes(outcome.error.code)) this.#forwarded.delete(key);
      else this.#forwarded.set(key, outcome);
      reply(outcome);
    });
  }

  onAnswer(from: NodeId, { request, body }: MessageOf<'answer'>): void {
    const pending = this.#pending.get(request);
    if (pending?.sentTo !== from) return;
    this.#onOutcome(pending, fromJson(fromBytes(body)) as Outcome);
  }

  onDisconnected(node: NodeId): void {
    for (const pending of this.#pending.values()) if (pending.sentTo === node) pending.sentTo = undefined;
  }

  /** Another leader, or a leader at last. */
  onLeadershipChanged(): void {
    const held = this.#held;
    this.#held = [];
    for (const { operation, done } of held) this.#lead(operation, done);
    for (const pending of this.#pending.values()) if (pending.sentTo === undefined) this.#dispatch(pending);
  }

  tick(): void {
    const { nowMs, settings } = this.#context;
    for (const pending of this.#pending.values()) {
      if (nowMs >= pending.deadlineMs) {
        this.#pending.delete(pending.id);
        pending.done({ ok: false, error: toErrorBody(this.#whyNotInTime(pending)) });
      } else if (pending.sentTo === undefined && nowMs - pending.sentMs >= settings.retryIntervalMs / 4) {
        this.#dispatch(pending);
      } else if (nowMs - pending.sentMs >= settings.operationTimeoutMs / 3) this.#dispatch(pending);
    }
  }

  #whyNotInTime({ operation, deadlineMs, sentMs }: Pending) {
    if (this.#decisions.leader === '') return errors.leaderUnknown({});
    if (operation.type === 'state') return errors.agentNotReady({ agent: operation.agent });
    const ttlMs = 'ttlMs' in operation ? operation.ttlMs : Math.round(deadlineMs - sentMs);
    return errors.deadlineExceeded({ what: `The request to ${operation.type}`, ttlMs });
  }
}
