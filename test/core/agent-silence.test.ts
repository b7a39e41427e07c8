import { expect, test } from 'vitest';
import { whySilent } from '../../node/core/agent-silence.ts';
import { apply } from '../../node/core/apply.ts';
import { ClusterState } from '../../node/core/cluster-state.ts';
import type { Draft } from '../../node/core/command.ts';

test('why an agent answers nothing is told from the log, whichever node was asked', () => {
  const state = new ClusterState();
  const decision = { strategy: 'least_loaded', node: undefined, ranked: [], rejected: [] };
  const put = (draft: Draft): number => {
    state.index += 1;
    expect(apply(state, { ...draft, atMs: 0 }, state.index)).toMatchObject({ ok: true });
    return state.index;
  };
  for (const node of ['n1', 'n2', 'n3']) {
    const profile = { name: node, addresses: [], site: '', capabilities: [], admin: '', agentsMax: 9 };
    put({ kind: 'memberJoin', node, boot: 1, start: node, profile });
  }
  expect(whySilent(state, 'a')).toBeUndefined();
  put({
    ...{ kind: 'agentsCreate', request: undefined, agentType: 't', source: 's', name: 'a', base: 'a', count: 1 },
    ...{ strategy: 'least_loaded', capabilities: [], holders: 3 },
  });
  expect(whySilent(state, 'a')).toBe('it has no node: deployed');
  const place = { kind: 'agentPlace' as const, agent: 'a', boot: 1, reason: 'why', decision };
  const epoch = put({ ...place, after: 0, host: 'n1', holders: ['n1', 'n2', 'n3'] });
  expect(whySilent(state, 'a')).toBe('it is being recovered: why');
  put({ kind: 'agentActive', agent: 'a', epoch });
  expect(whySilent(state, 'a')).toBeUndefined();
  const looping = { failures: 4, earlier: 0, reason: 'x'.repeat(990), retryInMs: 1 };
  put({ kind: 'agentCrashLooping', agent: 'a', epoch, ...looping });
  expect(whySilent(state, 'a')).toMatch(/^it has failed 4 times in a row: x/);
  expect(whySilent(state, 'a')).toHaveLength(1_000);
  for (const node of ['n1', 'n2']) put({ kind: 'memberDead', node, boot: 1, accusers: ['n3'] });
  expect(whySilent(state, 'a')).toMatch(/^it is stuck, as most of its holders are missing \(n1, n2\)/);
});
