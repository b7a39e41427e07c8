import { describe, expect, test } from 'vitest';
import { apply } from '../../node/core/apply.ts';
import { ClusterState } from '../../node/core/cluster-state.ts';
import type { Draft } from '../../node/core/command.ts';
import type { Operation } from '../../node/core/operation.ts';
import { whatIsWrong } from '../../node/core/operation-check.ts';
import { encodeState, loadState } from '../../node/core/state-snapshot.ts';

const create = (fields: object): Draft =>
  ({
    ...{ kind: 'agentsCreate', agentType: 'talk', source: 'run()', base: 'a', count: 1, name: undefined },
    ...{ strategy: 'round_robin', capabilities: ['gpu'], holders: 1, request: undefined, ...fields },
  }) as Draft;

function commit(state: ClusterState, draft: Draft): ReturnType<typeof apply> {
  state.index += 1;
  return apply(state, { ...draft, atMs: 0 }, state.index);
}

describe('a type that an interpreter runs', () => {
  test('needs nodes that have it, also for agents that come without the code', () => {
    const state = new ClusterState();
    expect(commit(state, create({ interpreter: 'python3' })).ok).toBe(true);
    expect(commit(state, create({ source: undefined, capabilities: [] })).ok).toBe(true);
    expect(state.agents.get('a-1')?.capabilities).toEqual(['gpu', 'interpreter:python3']);
    expect(state.agents.get('a-2')?.capabilities).toEqual(['interpreter:python3']);
  });

  test('stays with it, and takes new code', () => {
    const state = new ClusterState();
    commit(state, create({ interpreter: 'python3' }));
    for (const interpreter of [undefined, 'ruby']) {
      const refused = commit(state, create({ source: 'other()', interpreter }));
      expect(refused).toMatchObject({ ok: false, error: { message: expect.stringMatching(/is run by python3/) } });
    }
    expect(commit(state, create({ source: 'newer()', interpreter: 'python3' })).ok).toBe(true);
    expect(state.types.get('talk')).toMatchObject({ source: 'newer()', interpreter: 'python3' });
  });

  test('comes back from a snapshot', () => {
    const state = new ClusterState();
    commit(state, create({ interpreter: 'python3' }));
    commit(state, create({ agentType: 'plain' }));
    const copy = new ClusterState();
    loadState(copy, encodeState(state));
    expect(copy.types.get('talk')?.interpreter).toBe('python3');
    expect(encodeState(copy)).toEqual(encodeState(state));
  });

  test.each(['/bin/sh', '..', 'a b', '', 7])(
    'is refused when another node passes on the interpreter %j',
    (interpreter) => {
      const operation = {
        ...{
          type: 'deploy',
          agentType: 'talk',
          source: 'run()',
          count: 1,
          strategy: 's',
          capabilities: [],
          holders: 1,
        },
        interpreter: 'python3',
      } as Operation;
      expect(whatIsWrong(operation)).toBeUndefined();
      expect(whatIsWrong({ ...operation, interpreter } as Operation)).toMatch(/interpreter/);
      expect(whatIsWrong({ ...operation, source: undefined } as unknown as Operation)).toMatch(/interpreter/);
    },
  );
});
