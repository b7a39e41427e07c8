import type { ErrorCode } from '../../node/core/errors.ts';
import type { Outcome } from '../../node/core/operation.ts';
import type { Model, Operation } from './linearizability.ts';

/** What is asked about one agent name. `gone` is the second half of a deletion; the model makes it, nobody asks for it. */
export type NamesInput =
  | { type: 'deploy'; request: string }
  | { type: 'delete'; deletion?: number }
  | { type: 'migrate' }
  | { type: 'gone'; deletion: number };

/** `refused`: for a reason that has nothing to do with the name. */
export type NamesOutput = 'ok' | 'agentExists' | 'agentUnknown' | 'refused';
export type NamesOperation = Operation<NamesInput, NamesOutput>;

export interface NameState {
  /** `ending`: deleted, while a majority of its holders is not known to be sealed: no agent, and no free name. */
  phase: 'free' | 'present' | 'ending';
  /** Deploy requests that took effect. */
  requests: ReadonlySet<string>;
  /** Deletions that were answered, and are between their two halves. */
  deletions: ReadonlySet<number>;
  /** Requests that the history names more than once: of the others nothing depends on which of them took effect. */
  repeated: ReadonlySet<string>;
}

/** Refusals that come before anything is proposed, and say that nothing was changed. */
const refusals: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'bodyMalformed',
  'strategyUnknown',
  'typeUnknown',
  'agentUnplaceable',
  'agentsTooMany',
  'nodeUnknown',
  'nodeNotEligible',
  'agentBusyMoving',
]);

/** How each says no because of the name. */
const denials: { [T in NamesInput['type']]?: NamesOutput } = {
  deploy: 'agentExists',
  delete: 'agentUnknown',
  migrate: 'agentUnknown',
};

/** The answer as the model takes it; undefined where an earlier try, or this one, may still take effect. */
export function namesOutput(outcome: Outcome | undefined): NamesOutput | undefined {
  if (outcome === undefined) return undefined;
  if (outcome.ok) return 'ok';
  const { code } = outcome.error;
  if (code === 'agentExists' || code === 'agentUnknown') return code;
  return refusals.has(code) ? 'refused' : undefined;
}

/**
 * What the cluster promises to operators about one agent name (`apply.ts`, `operator.ts`, `requests.ts`):
 *
 * - `deploy` of one agent under that name. `ok`: the name was free and the agent was made, or the same request had made
 *   one before, which may be deleted again by now. `agentExists`: there was an agent, or the end of a deleted one was not
 *   known yet, and the request had made none.
 * - `delete`. `ok`: at some moment there was no agent any more, and at a later one, still before the answer, its name was
 *   free. Whether there had been one is not said: when a first try may have deleted it, its absence is `ok`, too.
 *   `agentUnknown`: there was none, and nothing was changed. In between deploys answer `agentExists`, migrations
 *   `agentUnknown`.
 * - `migrate`. `ok`: there was an agent. `agentUnknown`: there was none.
 * - Other refusals say nothing about the name, and that they changed nothing.
 *
 * Each takes effect once at most, however often the node that was asked passes it on. A client that sends one again asks
 * something new, which is to be recorded beside the first: that may still take effect, as an unanswered operation does.
 *
 * It holds for requests that name one agent each, each name alone: deploys of several agents make up names of their own.
 * A request is forgotten after 1,000 others (`limits.requestsRememberedMax`).
 */
export const namesModel: Model<NameState, NamesInput, NamesOutput> = {
  init: (history, from) => ({
    phase: from?.phase ?? 'free',
    requests: from?.requests ?? new Set(),
    deletions: new Set(),
    repeated: repeatedIn(history, from?.requests ?? new Set()),
  }),

  step(state, input, output) {
    if (output === 'refused') return state;
    if (output !== undefined && output !== 'ok' && output !== denials[input.type]) return undefined;
    switch (input.type) {
      case 'deploy':
        return deploy(state, input.request, output);
      case 'delete':
        return remove(state, input.deletion, output);
      case 'gone':
        return end(state, input.deletion, output);
      case 'migrate':
        return output === undefined || (output === 'ok') === (state.phase === 'present') ? state : undefined;
    }
  },

  key({ phase, requests, deletions, repeated }) {
    const known = [...requests].filter((request) => repeated.has(request));
    return `${phase} ${JSON.stringify([known.sort(), [...deletions].sort()])}`;
  },

  describe(input, output) {
    const what = input.type === 'gone' ? 'the end of its delete' : input.type;
    return `${input.type === 'deploy' ? `deploy (request ${input.request})` : what} → ${output ?? 'no answer'}`;
  },

  describeState({ phase, deletions }) {
    const words = { free: 'the name is free', present: 'there is an agent', ending: 'the agent is ending' }[phase];
    return deletions.size === 0 ? words : `${words}, deletions under way: ${deletions.size}`;
  },

  changesNothing: (input, output) => input.type === 'migrate' || (output !== undefined && output !== 'ok'),

  /** Those that do the same are interchangeable: of them the first. */
  worthTrying({ repeated }, unanswered) {
    const kinds = new Map<string, NamesOperation>();
    for (const operation of unanswered) {
      const { input } = operation;
      const isOwn = input.type === 'deploy' && repeated.has(input.request);
      const kind = isOwn ? `deploy ${input.request}` : input.type;
      if (!kinds.has(kind)) kinds.set(kind, operation);
    }
    return [...kinds.values()];
  },

  split(operation) {
    const { id, input, output } = operation;
    if (input.type !== 'delete' || (output !== 'ok' && output !== undefined)) return [operation];
    const halves: NamesInput[] = [
      { type: 'delete', deletion: id },
      { type: 'gone', deletion: id },
    ];
    return halves.map((half) => ({ ...operation, input: half }));
  },
};

function deploy(state: NameState, request: string, output: NamesOutput | undefined): NameState | undefined {
  const isRemembered = state.requests.has(request);
  const makes = state.phase === 'free' && !isRemembered;
  if (output === 'agentExists') return makes || isRemembered ? undefined : state;
  if (makes) return { ...state, phase: 'present', requests: new Set(state.requests).add(request) };
  return output === undefined || isRemembered ? state : undefined;
}

function remove(state: NameState, deletion = -1, output?: NamesOutput): NameState | undefined {
  if (output === 'agentUnknown') return state.phase === 'present' ? undefined : state;
  const phase = state.phase === 'present' ? 'ending' : state.phase;
  // An unanswered deletion may end at any time, or not be waited for: only answered ones have an order to keep.
  if (output === undefined) return { ...state, phase };
  return { ...state, phase, deletions: new Set(state.deletions).add(deletion) };
}

function end(state: NameState, deletion: number, output: NamesOutput | undefined): NameState | undefined {
  const phase = state.phase === 'ending' ? 'free' : state.phase;
  if (output === undefined) return { ...state, phase };
  if (!state.deletions.has(deletion)) return undefined;
  const deletions = new Set(state.deletions);
  deletions.delete(deletion);
  return { ...state, phase, deletions };
}

function repeatedIn(history: readonly NamesOperation[], before: ReadonlySet<string>): Set<string> {
  const seen = new Set(before);
  const repeated = new Set<string>();
  for (const { input } of history) {
    if (input.type !== 'deploy') continue;
    if (seen.has(input.request)) repeated.add(input.request);
    seen.add(input.request);
  }
  return repeated;
}
