import type { Serial } from '../../consensus/sessions.ts';
import { mixOf } from '../../strategies/mix.ts';
import { strategies } from '../../strategies/registry.ts';
import { recoverAgent } from './agent-recovery.ts';
import type { Result } from './applied.ts';
import type { ClusterState } from './cluster-state.ts';
import type { Context } from './context.ts';
import type { Decisions } from './decisions.ts';
import { type ConclaveError, errors, toErrorBody } from './errors.ts';
import type { Fitness } from './fitness.ts';
import { isKvWrite, writeKv } from './kv.ts';
import type { Manager } from './manager.ts';
import type { AgentView, Operation, Outcome } from './operation.ts';
import { changeRollout, isRollout } from './rollout-operator.ts';
import { neededCapabilities } from './type-capability.ts';
import type { Views } from './views.ts';

type OperationOf<T extends Operation['type']> = Extract<Operation, { type: T }>;
type Done = (outcome: Outcome) => void;

interface Awaited {
  agents: string[];
  /** The epoch each must leave behind. */
  after: number;
  deadlineMs: number;
  done: () => void;
}

/** A refusal stands in the log: of so many nodes it says why they cannot take an agent. */
const refusalsMax = 64;
const placedWithinMs = 2_000;
const movedWithinMs = 10_000;
const awaitedMax = 1_000;
const askersMax = 16;
/** Of more agents at once the answer does not say why each is where it is: with many nodes it would not fit a frame. */
const explainedMax = 32;

const refuse = (error: ConclaveError): Outcome => ({ ok: false, error: toErrorBody(error) });

const unexplained = (view: AgentView): AgentView => ({ ...view, decision: undefined });

/**
 * What is asked of the leader: deploy, delete, migrate, drain, keys and values. Answers once the log holds the decision: that
 * nothing is to be done, too, so that a copy of the command that is held up on its way can change nothing later.
 */
export class Operator {
  readonly #context: Context;
  readonly #decisions: Decisions;
  readonly #manager: Manager;
  readonly #views: Views;
  readonly #fitness: Fitness;
  #awaited: Awaited[] = [];
  /** Who waits for the end of a deleted agent. */
  readonly #leaving = new Map<string, (() => void)[]>();

  constructor(context: Context, decisions: Decisions, manager: Manager, views: Views, fitness: Fitness) {
    this.#fitness = fitness;
    this.#context = context;
    this.#decisions = decisions;
    this.#manager = manager;
    this.#views = views;
  }

  get #state(): ClusterState {
    return this.#decisions.state;
  }

  /** Does what a user commands, once for each serial. */
  perform(operation: Operation, by: Serial, done: Done): void {
    if (operation.type === 'deploy') this.#deploy(operation, by, done);
    else if (operation.type === 'delete') this.#delete(operation, by, done);
    else if (operation.type === 'migrate') this.#migrate(operation, by, done);
    else if (operation.type === 'cancelMigration') this.#cancelMigration(operation, by, done);
    else if (operation.type === 'setTopics') this.#setTopics(operation, by, done);
    else if (operation.type === 'drain' || operation.type === 'undrain') this.#drain(operation, by, done);
    else if (operation.type === 'forkDelete') this.#deleteFork(operation, by, done);
    else if (isRollout(operation)) changeRollout(this.#decisions, operation, by, done);
    else if (operation.type === 'recoverAgent') {
      const { holders: board, fences } = this.#manager;
      recoverAgent(operation, { decisions: this.#decisions, board, fences, by }, done);
    } else if (isKvWrite(operation)) writeKv(this.#decisions, operation, by, done);
    else done(refuse(errors.internal({ reason: `${operation.type} is not for the leader` })));
  }

  /** No command: the log says nothing of it, and done twice it is no other. */
  handOver({ node }: OperationOf<'lead'>): Outcome {
    return this.#fitness.handOver(node);
  }

  /** Has the log say that it came to this without any other decision, unless the same command came before. */
  #conclude(error: ConclaveError | undefined, by: Serial, done: (result: Result) => void): void {
    this.#decisions.propose({ kind: 'outcome', error: error && toErrorBody(error), by }, done);
  }

  #deploy(operation: OperationOf<'deploy'>, by: Serial, done: Done): void {
    const onResult = (result: Result): void => {
      if (!result.ok) return done(result);
      const { agents } = result;
      this.#await(agents, 0, placedWithinMs, () => {
        const views = agents.flatMap((agent) => this.#views.agent(agent) ?? []);
        done({ ok: true, result: { agents: views.length <= explainedMax ? views : views.map(unexplained) } });
      });
    };
    const refused = this.#whyNotDeploy(operation);
    if (refused !== undefined) return this.#conclude(refused, by, onResult);
    const { topics, partition } = operation;
    const { agentType, interpreter, container, isolation, name, count, strategy, capabilities, holders } = operation;
    const isKnown = operation.builtin === true && this.#state.types.has(agentType);
    const source = isKnown ? undefined : operation.source;
    const draft = {
      kind: 'agentsCreate' as const,
      by,
      request: operation.request,
      agentType,
      source,
      interpreter,
      container,
      isolation,
      name: count === 1 ? name : undefined,
      base: name ?? agentType,
      count,
      strategy,
      capabilities,
      holders,
      topics,
      partition,
      versioned: true,
    };
    this.#decisions.propose(draft, onResult);
  }

  #whyNotDeploy(operation: OperationOf<'deploy'>): ConclaveError | undefined {
    const { agentType, source, container, name, count, strategy, capabilities, holders, request } = operation;
    // Asked for again: the log knows what it made.
    if (request !== undefined && this.#state.requests.has(request)) return undefined;
    if (mixOf(strategy, strategies) === undefined)
      return errors.strategyUnknown({ strategy, known: [...strategies.keys()] });
    const hasCode = source !== undefined || container !== undefined;
    if (!hasCode && !this.#state.types.has(agentType)) return errors.typeUnknown({ type: agentType });
    if (count === 1 && name !== undefined && this.#state.isNameTaken(name)) return errors.agentExists({ agent: name });
    const agent = name ?? agentType;
    const decision = this.#manager.preview({
      id: agent,
      type: agentType,
      strategy,
      capabilities: neededCapabilities(capabilities, hasCode ? operation : (this.#state.types.get(agentType) ?? {})),
      holdersWanted: holders,
    });
    if (decision.node === undefined)
      return errors.agentUnplaceable({ agent, refusals: decision.rejected.slice(0, refusalsMax) });
    return undefined;
  }

  #deleteFork({ agent, fork, number }: OperationOf<'forkDelete'>, by: Serial, done: Done): void {
    this.#decisions.propose({ kind: 'forkDelete', agent, branch: fork, number, by }, (result) =>
      done(result.ok ? { ok: true, result: { agent, fork } } : result),
    );
  }

  #delete({ agent }: OperationOf<'delete'>, by: Serial, done: Done): void {
    const onResult = (result: Result): void => {
      if (!result.ok) return done(result);
      const answer = () => done({ ok: true, result: { agent } });
      const ending = this.#state.ending.get(agent);
      if (ending !== undefined && ending.index <= result.index) this.#awaitGone(agent, answer);
      else answer();
    };
    // Another has deleted it, and its end is not known everywhere.
    if (this.#state.ending.has(agent)) this.#conclude(undefined, by, onResult);
    else this.#decisions.propose({ kind: 'agentDelete', agent, by }, onResult);
  }

  /** Without a time limit of its own: whoever asked has one, and may ask again. */
  #awaitGone(agent: string, done: () => void): void {
    const known = this.#leaving.get(agent) ?? [];
    this.#leaving.set(agent, [...known.slice(-askersMax), done]);
  }

  /** Decisions were passed over: who is not ending any more has ended. */
  onPassedOver(): void {
    for (const agent of [...this.#leaving.keys()]) if (!this.#state.ending.has(agent)) this.onGone(agent);
  }

  onGone(agent: string): void {
    const waiting = this.#leaving.get(agent) ?? [];
    this.#leaving.delete(agent);
    for (const done of waiting) done();
  }

  #migrate({ agent: id, target, wait }: OperationOf<'migrate'>, by: Serial, done: Done): void {
    const agent = this.#state.agents.get(id);
    const isThere = agent?.placement?.host === target;
    const underWay = agent?.migration?.target === target ? agent.migration.since : undefined;
    const onResult = (result: Result): void => {
      if (!result.ok) return done(result);
      const since = underWay ?? result.index;
      const answer = () => done(this.#outcomeOfMove(id, since));
      if (isThere || wait === false) answer();
      else this.#await([id], since - 1, movedWithinMs, answer);
    };
    const conclude = (error?: ConclaveError): void => this.#conclude(error, by, onResult);
    if (agent === undefined) return conclude(errors.agentUnknown({ agent: id }));
    if (!this.#state.members.has(target)) return conclude(errors.nodeUnknown({ node: target }));
    if (isThere || underWay !== undefined) return conclude();
    const refused = this.#manager.migrate(agent, target, by, onResult);
    if (refused !== undefined) conclude(refused);
  }

  #cancelMigration({ agent }: OperationOf<'cancelMigration'>, by: Serial, done: Done): void {
    this.#decisions.propose({ kind: 'migrationCancel', agent, by }, (result) =>
      done(result.ok ? this.#outcomeOfMove(agent, undefined) : result),
    );
  }

  #setTopics({ agent, topics }: OperationOf<'setTopics'>, by: Serial, done: Done): void {
    this.#decisions.propose({ kind: 'agentTopics', agent, topics, by }, (result) =>
      done(result.ok ? this.#outcomeOfMove(agent, undefined) : result),
    );
  }

  /** Of the migration that began at an index, or of none in particular. */
  #outcomeOfMove(agent: string, since: number | undefined): Outcome {
    const view = this.#views.agent(agent);
    // It was moved, and is gone since.
    if (view === undefined) return refuse(errors.outcomeUnknown({ what: 'migration' }));
    const end = view.migrationEnd;
    if (since === undefined || end?.since !== since) return { ok: true, result: { agent: view } };
    return refuse(errors.migrationFailed({ agent, reason: end.reason }));
  }

  /** Answers at once: how far a drain has come is to be asked for. */
  #drain(operation: OperationOf<'drain'> | OperationOf<'undrain'>, by: Serial, done: Done): void {
    const { node } = operation;
    const onResult = (result: Result): void => {
      if (!result.ok) return done(result);
      const view = this.#views.nodes().find(({ id }) => id === node);
      done(view ? { ok: true, result: { node: view } } : refuse(errors.nodeUnknown({ node })));
    };
    const member = this.#state.members.get(node);
    if (operation.type === 'drain') {
      const draft = { kind: 'drainBegin' as const, node, boot: undefined, deadlineMs: operation.deadlineMs, by };
      this.#decisions.propose(draft, onResult);
    } else if (member !== undefined && member.drain === undefined) this.#conclude(undefined, by, onResult);
    else this.#decisions.propose({ kind: 'drainUndo', node, by }, onResult);
  }

  #await(agents: string[], after: number, withinMs: number, done: () => void): void {
    const awaited = { agents, after, deadlineMs: this.#context.nowMs + withinMs, done };
    if (this.#awaited.length >= awaitedMax || this.#isSettled(awaited)) done();
    else this.#awaited.push(awaited);
  }

  #isSettled({ agents, after }: Awaited): boolean {
    return agents.every((id) => {
      const agent = this.#state.agents.get(id);
      // A move that has ended without coming to anything is settled, too.
      if (agent === undefined || (agent.migrationEnd?.since ?? 0) > after) return true;
      const epoch = agent.active?.epoch ?? 0;
      return epoch > after || (agent.placement === undefined && agent.reason !== 'deployed');
    });
  }

  /** Answers whoever waits for agents that are settled now, or has waited long enough. */
  tick(): void {
    if (this.#awaited.length === 0) return;
    const { nowMs } = this.#context;
    const ready = this.#awaited.filter((awaited) => nowMs >= awaited.deadlineMs || this.#isSettled(awaited));
    if (ready.length === 0) return;
    this.#awaited = this.#awaited.filter((awaited) => !ready.includes(awaited));
    for (const { done } of ready) done();
  }
}
