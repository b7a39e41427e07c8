import type { Context } from './context.ts';
import type { Decisions } from './decisions.ts';
import { errors, toErrorBody } from './errors.ts';
import { readKv } from './kv.ts';
import type { Consistency, Operation, Outcome } from './operation.ts';
import { typeView, typeViews } from './type-views.ts';
import type { Views } from './views.ts';

/** What is answered from the state alone, and changes nothing. */
export type Query = Extract<
  Operation,
  { type: 'status' | 'nodes' | 'agents' | 'agent' | 'agentTypes' | 'agentType' | 'kvGet' | 'kvList' }
>;

const types: ReadonlySet<Operation['type']> = new Set([
  'status',
  'nodes',
  'agents',
  'agent',
  'agentTypes',
  'agentType',
  'kvGet',
  'kvList',
]);

export const isQuery = (operation: Operation): operation is Query => types.has(operation.type);

/** Undefined: the asker did not say, and each kind has a way of its own. */
export const consistencyOf = (operation: Operation): Consistency | undefined =>
  isQuery(operation) ? operation.consistency : undefined;

/** Answers queries from this node's state, and says how far that goes and how old it may be. */
export class Queries {
  readonly #context: Context;
  readonly #decisions: Decisions;
  readonly #views: Views;

  constructor(context: Context, decisions: Decisions, views: Views) {
    this.#context = context;
    this.#decisions = decisions;
    this.#views = views;
  }

  answer(query: Query): Outcome {
    const outcome = this.#read(query);
    if (!outcome.ok) return outcome;
    const { raft, state } = this.#decisions;
    // What a round has confirmed since it was asked is as new as the question.
    const ageMs = query.consistency === 'linearizable' ? 0 : raft.ageMs(this.#context.nowMs);
    // A node that never heard of a leader cannot tell.
    return { ...outcome, asOf: { index: state.index, ...(Number.isFinite(ageMs) && { ageMs: Math.ceil(ageMs) }) } };
  }

  #read(query: Query): Outcome {
    switch (query.type) {
      case 'status':
        return { ok: true, result: this.#views.status(this.#context.out.cluster) };
      case 'nodes':
        return { ok: true, result: this.#views.nodes() };
      case 'agents':
        return { ok: true, result: this.#views.agents() };
      case 'agent': {
        const agent = this.#views.agent(query.agent);
        if (agent !== undefined) return { ok: true, result: agent };
        return { ok: false, error: toErrorBody(errors.agentUnknown({ agent: query.agent })) };
      }
      case 'agentTypes':
        return { ok: true, result: typeViews(this.#decisions.state) };
      case 'agentType': {
        const type = this.#decisions.state.types.get(query.agentType);
        if (type !== undefined) return { ok: true, result: typeView(this.#decisions.state, type) };
        return { ok: false, error: toErrorBody(errors.typeUnknown({ type: query.agentType })) };
      }
      default:
        return readKv(this.#decisions.state, query);
    }
  }
}
