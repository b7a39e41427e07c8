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

const deploy = {
  ...{ type: 'deploy', agentType: 'talk', source: 'run()', interpreter: 'python3' },
  ...{ count: 1, strategy: 's', capabilities: [], holders: 1 },
};

describe('a type whose agents may share threads', () => {
  const isolationOf = (state: ClusterState) => state.types.get('talk')?.isolation;

  test('stays one until another deployment says otherwise, with new code or none', () => {
    const state = new ClusterState();
    commit(state, create({ isolation: 'type' }));
    commit(state, create({ source: 'newer()' }));
    expect(state.types.get('talk')).toEqual({ type: 'talk', source: 'newer()', isolation: 'type', defined: 2 });
    commit(state, create({ source: undefined, isolation: 'agent' }));
    expect(state.types.get('talk')).toEqual({ type: 'talk', source: 'newer()', isolation: 'agent', defined: 3 });
    commit(state, create({ source: undefined }));
    expect(state.types.get('talk')?.defined).toBe(3);
  });

  test('comes back from a snapshot, and one that never said it has none', () => {
    const state = new ClusterState();
    commit(state, create({ isolation: 'type' }));
    commit(state, create({ agentType: 'plain' }));
    const copy = new ClusterState();
    loadState(copy, encodeState(state));
    expect([isolationOf(copy), copy.types.get('plain')?.isolation]).toEqual(['type', undefined]);
  });

  test.each(['thread', '', 7, null])('is refused as %j', (isolation) => {
    const { interpreter: _, ...plain } = deploy;
    expect(whatIsWrong({ ...plain, isolation: 'type' } as Operation)).toBeUndefined();
    expect(whatIsWrong({ ...plain, isolation } as unknown as Operation)).toMatch(/isolation/);
  });
});

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

  test('has no threads to share', () => {
    const state = new ClusterState();
    commit(state, create({ interpreter: 'python3' }));
    const refused = commit(state, create({ source: undefined, isolation: 'type' }));
    expect(refused).toMatchObject({ ok: false, error: { message: expect.stringMatching(/no threads to share/) } });
    expect(whatIsWrong({ ...deploy, isolation: 'type' } as Operation)).toMatch(/isolation/);
    const { source: _source, interpreter: _interpreter, ...rest } = deploy;
    const container = { image: 'talk:1', memoryMb: 64, cpus: 1, pids: 64 };
    expect(whatIsWrong({ ...rest, container } as Operation)).toBeUndefined();
    expect(whatIsWrong({ ...rest, container, isolation: 'type' } as Operation)).toMatch(/isolation/);
  });

  test.each(['/bin/sh', '..', 'a b', '', 7])(
    'is refused when another node passes on the interpreter %j',
    (interpreter) => {
      const operation = deploy as Operation;
      expect(whatIsWrong(operation)).toBeUndefined();
      expect(whatIsWrong({ ...operation, interpreter } as Operation)).toMatch(/interpreter/);
      expect(whatIsWrong({ ...operation, source: undefined } as unknown as Operation)).toMatch(/interpreter/);
    },
  );
});
