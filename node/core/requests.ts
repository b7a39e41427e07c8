import type { Serial } from '../../consensus/sessions.ts';
import type { Autonomy } from './autonomy.ts';
import type { Context } from './context.ts';
import type { Decisions } from './decisions.ts';
import { type AtDoor, Doors, isTaskOf, toldOf } from './doors.ts';
import { type ConclaveError, type ErrorCode, errors, toErrorBody } from './errors.ts';
import { askFork, keeperOf, type Reach } from './forks.ts';
import { HostAsks } from './host-asks.ts';
import type { Hosting } from './hosting.ts';
import { KeyOrder } from './key-order.ts';
import { isKv } from './kv.ts';
import type { MessageOf, NodeId } from './message.ts';
import type { Operation, Outcome, Results } from './operation.ts';
import { checkOperation } from './operation-check.ts';
import { encodeOperation } from './operation-codec.ts';
import type { Operator } from './operator.ts';
import { decodeOutcome, encodeOutcome, tooLargeToTell } from './outcome-codec.ts';
import type { Peers } from './peers.ts';
import { consistencyOf, isQuery, Queries } from './queries.ts';
import { RequestRoom } from './request-room.ts';
import { limits } from './settings.ts';
import type { Tasks } from './tasks.ts';
import type { Views } from './views.ts';

type Done = (outcome: Outcome) => void;
type OnProgress = (number: number, value: Uint8Array) => void;

interface Pending {
  id: string;
  operation: Operation;
  done: Done;
  progress: OnProgress | undefined;
  deadlineMs: number;
  ttlMs: number;
  /** Of a command that was given to a leader: the same for every try. */
  by: Omit<Serial, 'lowest'> | undefined;
  sentTo: NodeId | undefined;
  sentMs: number;
  /** How often it was given to anybody: before the first time it had no effect. */
  tries: number;
}

/** Outcomes that another node, or this one a moment later, may better. */
const retried: readonly ErrorCode[] = ['notLeader', 'leaderUnknown', 'agentNotReady', 'notMember'];

/** What changes the log, once for each serial; of the rest nothing is worse for being done twice, and a task has an id of its own. */
const commands: ReadonlySet<Operation['type']> = new Set([
  'deploy',
  'upgrade',
  'cancelUpgrade',
  'delete',
  'migrate',
  'cancelMigration',
  'setTopics',
  'recoverAgent',
  'drain',
  'undrain',
  'forkDelete',
  'kvPut',
  'kvDelete',
]);

/**
 * What users ask, at whatever node: answered here when this node can, else passed on to the one that can, again and
 * again until the deadline when leaders or hosts change on the way.
 */
export class Requests {
  readonly #context: Context;
  readonly #decisions: Decisions;
  readonly #peers: Peers;
  readonly #doors: Doors;
  readonly #hostAsks: HostAsks;
  readonly #tasks: Tasks;
  readonly #queries: Queries;
  readonly #operator: Operator;
  readonly #autonomy: Autonomy;
  readonly #pending = new Map<string, Pending>();
  readonly #room = new RequestRoom();
  /** Asked of this leader before it was ready; empty again when it is, or leads no longer. */
  #held: { operation: Operation; by: Serial | undefined; done: Done }[] = [];
  /** Commands that have a number and no answer, by that number. Bounded as all that is pending. */
  readonly #numbered = new Map<number, Pending>();
  /** Tasks with a key wait here until the earlier ones of it have their outcome: on its way none can overtake another. */
  readonly #keyed = new KeyOrder<Pending>();
  #serial = 0;
  #count = 0;

  constructor(init: {
    context: Context;
    decisions: Decisions;
    peers: Peers;
    hosting: Hosting;
    tasks: Tasks;
    views: Views;
    operator: Operator;
    autonomy: Autonomy;
  }) {
    this.#context = init.context;
    this.#decisions = init.decisions;
    this.#peers = init.peers;
    const alive = () => init.decisions.state.alive().map(({ node }) => node);
    this.#doors = new Doors(init.context, { peers: init.peers, alive, here: (asked) => this.#atDoor(asked) });
    this.#hostAsks = new HostAsks(init, this.#doors);
    this.#tasks = init.tasks;
    this.#queries = new Queries(init.context, init.decisions, init.views);
    this.#operator = init.operator;
    this.#autonomy = init.autonomy;
  }

  /** `progress` hears what a task says before it is done, unless it had to be passed on. */
  ask(operation: Operation, done: Done, progress?: OnProgress): void {
    const full = this.#room.whatIsFull(operation);
    if (full !== undefined) return done(refusal(errors.backlogFull(full)));
    this.#room.enter(operation);
    this.#count += 1;
    // Not by the boot: where its record was lost with the power, or an older disk was put back, it comes again.
    const id = `${this.#context.start}-${this.#count}`;
    const ttlMs = 'ttlMs' in operation ? operation.ttlMs : this.#context.settings.operationTimeoutMs;
    const pending: Pending = {
      ...{ id, operation, done, progress, ttlMs, deadlineMs: this.#context.nowMs + ttlMs },
      ...{ by: undefined, sentTo: undefined, sentMs: 0, tries: 0 },
    };
    this.#pending.set(id, pending);
    const key = keyOf(operation);
    if (key !== undefined) this.#keyed.enter(key, pending);
    this.#dispatch(pending);
  }

  #dispatch(pending: Pending): void {
    const { nowMs, self, out } = this.#context;
    pending.sentMs = nowMs;
    pending.sentTo = undefined;
    const key = keyOf(pending.operation);
    // The tick ends one whose time is up: behind others of its key it may have waited for all of it.
    if (nowMs >= pending.deadlineMs || (key !== undefined && !this.#keyed.isFirst(key, pending))) return;
    const target = this.#whoCan(pending);
    if (target === undefined || (target !== self && !this.#peers.isConnected(target))) return;
    const by = commands.has(pending.operation.type) ? this.#numberOf(pending) : undefined;
    // Until this node is a member nobody could tell a second try from the first.
    if (by === undefined && commands.has(pending.operation.type)) return;
    pending.sentTo = target;
    pending.tries += 1;
    const operation = this.#forThisTry(pending);
    if (target === self) {
      const { id: request, progress } = pending;
      this.#perform({ request, operation, by, progress }, (outcome) => this.#onOutcome(pending, outcome));
      return;
    }
    const { session, serial, lowest } = by ?? { session: '', serial: 0, lowest: 0 };
    const body = { request: pending.id, operation: encodeOperation(operation), session, serial, lowest };
    out.sendUrgent(target, { type: 'forward', body });
  }

  /** A command is numbered when it goes out first, in the session of then. Undefined: this node has no session. */
  #numberOf(pending: Pending): Serial | undefined {
    if (pending.by === undefined) {
      const { self, start } = this.#context;
      const session = this.#decisions.state.sessionOf(self, start);
      if (session === undefined) return undefined;
      this.#serial += 1;
      pending.by = { session, serial: this.#serial };
      this.#numbered.set(this.#serial, pending);
    }
    const [lowest = pending.by.serial] = this.#numbered.keys();
    return { ...pending.by, lowest };
  }

  #end(pending: Pending, outcome: Outcome): void {
    this.#pending.delete(pending.id);
    this.#room.leave(pending.operation);
    if (pending.by !== undefined) this.#numbered.delete(pending.by.serial);
    const key = keyOf(pending.operation);
    const next = key === undefined ? undefined : this.#keyed.leave(key, pending);
    pending.done(outcome);
    if (next !== undefined) this.#dispatch(next);
  }

  /** Tried again, an operation has no more time than it was given at first. */
  #forThisTry({ operation, deadlineMs }: Pending): Operation {
    if (!('ttlMs' in operation)) return operation;
    return { ...operation, ttlMs: Math.max(1, Math.floor(deadlineMs - this.#context.nowMs)) };
  }

  /** The node that can do it, as far as this one knows; undefined when nobody can at the moment. */
  #whoCan({ operation, tries }: Pending): NodeId | undefined {
    const { self } = this.#context;
    const leader = this.#decisions.mayLead() ? self : this.#decisions.leader || undefined;
    const consistency = consistencyOf(operation);
    if (consistency !== undefined) return consistency === 'stale' ? self : leader;
    switch (operation.type) {
      case 'status':
      case 'nodes':
      case 'agents':
      case 'agentTypes':
      case 'agentType':
        return self;
      case 'agent':
        return this.#decisions.state.agents.has(operation.agent) ? self : leader;
      case 'task': {
        const agent = this.#decisions.state.agents.get(operation.agent);
        const host = this.#autonomy.hostOf(operation.agent) ?? agent?.placement?.host;
        const isInReach = host === undefined || host === self || this.#peers.isConnected(host);
        return (agent !== undefined || host !== undefined) && isInReach ? self : leader;
      }
      case 'state':
      case 'tasks':
      case 'taskCancel': {
        const agent = this.#decisions.state.agents.get(operation.agent);
        return this.#autonomy.hostOf(operation.agent) ?? (agent === undefined ? leader : agent.placement?.host);
      }
      case 'fork':
        return keeperOf(this.#decisions.state, this.#autonomy.store, this.#reach, operation, tries) ?? leader;
      default:
        return leader;
    }
  }

  get #reach(): Reach {
    return { self: this.#context.self, isConnected: (node) => this.#peers.isConnected(node) };
  }

  /** By the log, or because a branch of it answers. */
  #isThere(agent: string): boolean {
    return this.#decisions.state.agents.has(agent) || this.#autonomy.hostOf(agent) !== undefined;
  }

  /** Does it here, or says why not. */
  #perform({ request, operation, by, progress }: Asked, done: Done): void {
    const consistency = consistencyOf(operation);
    if (isQuery(operation) && consistency !== 'leader' && consistency !== 'linearizable') {
      const isThere = operation.type !== 'agent' || this.#decisions.state.agents.has(operation.agent);
      if (consistency === 'stale' || isThere) return done(this.#queries.answer(operation));
      return this.#unknownAgent(operation.agent, done);
    }
    switch (operation.type) {
      case 'task':
        if (!this.#isThere(operation.agent)) return this.#unknownAgent(operation.agent, done);
        return this.#tasks.ask(request, operation, { done, progress });
      case 'state':
      case 'tasks':
      case 'taskCancel':
        if (!this.#isThere(operation.agent)) return this.#unknownAgent(operation.agent, done);
        return this.#hostAsks.ask(operation, done);
      case 'doorTasks':
        return done({ ok: true, result: this.#atDoor(operation) });
      case 'fork':
        return askFork(this.#decisions, this.#autonomy.store, this.#reach.isConnected, operation, done);
      default:
        return this.#lead(operation, by, done);
    }
  }

  /** A leader that is about to know everything keeps what it is asked until it does. */
  #lead(operation: Operation, by: Serial | undefined, done: Done): void {
    const { leader } = this.#decisions;
    if (this.#decisions.mayLead()) {
      if (isQuery(operation)) {
        const read = () => done(this.#queries.answer(operation));
        if (operation.consistency !== 'linearizable') return read();
        // Others may have elected another leader, whose log says otherwise.
        return this.#decisions.read((leads) => (leads ? read() : done(refusal(errors.notLeader({ leader: '' })))));
      }
      if (operation.type === 'lead') done(this.#operator.handOver(operation));
      else if (by !== undefined) this.#operator.perform(operation, by, done);
      else done(refusal(errors.bodyMalformed({ reason: `a ${operation.type} without a serial number` })));
    } else if (leader === this.#context.self && this.#held.length < limits.forwardsPendingMax) {
      this.#held.push({ operation, by, done });
    } else done(refusal(errors.notLeader({ leader })));
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

  /** What waits at this node behind others of its key; of one task that is meant, whether it has no answer here yet. */
  #atDoor({ agent, task, cancelled }: AtDoor): Results['doorTasks'] {
    const all = [...(task === '' ? this.#keyed.behind() : this.#pending.values())];
    const meant = all.filter(({ operation }) => isTaskOf(operation, agent, task));
    const over = refusal(errors.taskCancelled({ agent, task }));
    const told = toldOf(agent, meant);
    if (cancelled) for (const each of meant) if (this.#pending.get(each.id) === each) this.#end(each, over);
    return told;
  }

  #onOutcome(pending: Pending, outcome: Outcome): void {
    if (this.#pending.get(pending.id) !== pending) return;
    // The tick tries again.
    if (!outcome.ok && this.#mayBeBettered(pending, outcome.error.code)) pending.sentTo = undefined;
    else if (!outcome.ok && outcome.error.code === 'outcomeUnknown') this.#end(pending, refusal(unknown(pending)));
    else this.#end(pending, outcome);
  }

  /** Where there was no room for this try of a command, an earlier one, or a copy on its way, may take effect all the same. */
  #mayBeBettered({ by, sentTo, tries }: Pending, code: ErrorCode): boolean {
    if (retried.includes(code)) return true;
    return code === 'backlogFull' && by !== undefined && (sentTo !== this.#context.self || tries > 1);
  }

  // ---- between nodes ----

  onForward(from: NodeId, { request, operation, session, serial, lowest }: MessageOf<'forward'>): void {
    const checked = checkOperation(operation);
    const isUrgent = checked.ok && (isKv(checked.operation) || checked.operation.type === 'task');
    const reply = (outcome: Outcome): void => {
      const body = encodeOutcome(outcome);
      if (checked.ok && body.byteLength > limits.answerBytesMax) return reply(tooLargeToTell(checked.operation));
      const { out } = this.#context;
      const answer = { type: 'answer' as const, body: { request, ok: outcome.ok, body } };
      if (isUrgent) out.sendUrgent(from, answer);
      else out.send(from, answer);
    };
    const by = serial > 0 ? { session, serial, lowest } : undefined;
    if (!checked.ok) reply(refusal(errors.bodyMalformed({ reason: checked.reason })));
    else this.#perform({ request: `${from}/${request}`, operation: checked.operation, by }, reply);
  }

  onAnswer(from: NodeId, { request, body }: MessageOf<'answer'>): void {
    const outcome = decodeOutcome(body);
    const pending = this.#pending.get(request);
    if (this.#doors.onAnswer(from, request, outcome) || pending?.sentTo !== from) return;
    // What makes no sense is no answer: it is asked again, or its time runs out.
    if (outcome !== undefined) this.#onOutcome(pending, outcome);
  }

  onDisconnected(node: NodeId): void {
    for (const pending of this.#pending.values()) if (pending.sentTo === node) pending.sentTo = undefined;
    this.#doors.onDisconnected(node);
  }

  /** Another leader, or a leader at last. */
  onLeadershipChanged(): void {
    const held = this.#held;
    this.#held = [];
    for (const { operation, by, done } of held) this.#lead(operation, by, done);
    for (const pending of this.#pending.values()) if (pending.sentTo === undefined) this.#dispatch(pending);
  }

  tick(): void {
    const { nowMs, settings } = this.#context;
    this.#doors.tick();
    for (const pending of this.#pending.values()) {
      if (nowMs >= pending.deadlineMs) {
        this.#end(pending, refusal(this.#whyNotInTime(pending)));
      } else if (pending.sentTo === undefined && nowMs - pending.sentMs >= settings.retryIntervalMs / 4) {
        this.#dispatch(pending);
      } else if (nowMs - pending.sentMs >= settings.operationTimeoutMs / 3) this.#dispatch(pending);
    }
  }

  /** What was never given to anybody has failed, and so has a read; of the rest the outcome is unknown. */
  #whyNotInTime(pending: Pending): ConclaveError {
    const { operation, tries } = pending;
    // Of a node that knows no cluster nothing was ever on its way to a leader.
    if (tries === 0 && this.#context.out.cluster === '') return errors.notMember({});
    const isCommand = commands.has(operation.type);
    if (tries === 0 && isCommand && this.#decisions.leader !== '' && !this.#isMember()) return errors.notMember({});
    // A leader that does not answer, or that no majority confirms, is none to whoever reads.
    if (tries === 0 || isQuery(operation)) return errors.leaderUnknown({});
    if (operation.type === 'state' || operation.type === 'tasks' || operation.type === 'fork')
      return errors.agentNotReady({ agent: operation.agent });
    return unknown(pending);
  }

  #isMember(): boolean {
    const { self, start } = this.#context;
    return this.#decisions.state.sessionOf(self, start) !== undefined;
  }
}

interface Asked {
  /** Names the request among all of the cluster. */
  request: string;
  operation: Operation;
  by: Serial | undefined;
  progress?: OnProgress | undefined;
}

/** What a task is kept in order by, if it is. */
const keyOf = (operation: Operation): string | undefined =>
  operation.type === 'task' && operation.key !== undefined ? `${operation.agent} ${operation.key}` : undefined;

const refusal = (error: ConclaveError): Outcome => ({ ok: false, error: toErrorBody(error) });

/** What has an id that its user chose may be sent again; of the rest only a look tells more. */
function unknown({ operation, ttlMs }: Pending): ConclaveError {
  const { type } = operation;
  const hasId = type === 'deploy' || type === 'upgrade' ? operation.request !== undefined : !commands.has(type);
  if (!hasId) return errors.outcomeUnknown({ what: `${type} command` });
  return errors.deadlineExceeded({ what: `The request to ${type}`, ttlMs });
}
