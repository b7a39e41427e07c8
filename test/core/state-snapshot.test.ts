import { describe, expect, test } from 'vitest';
import { apply } from '../../node/core/apply.ts';
import { Audit } from '../../node/core/audit.ts';
import { ClusterState } from '../../node/core/cluster-state.ts';
import type { Draft } from '../../node/core/command.ts';
import { brief } from '../../node/core/placement.ts';
import { limits } from '../../node/core/settings.ts';
import { encodeState, loadState } from '../../node/core/state-snapshot.ts';
import type { Decision } from '../../strategies/strategy.ts';

const profile = { name: 'n', addresses: [], site: 'a', capabilities: [], admin: '', agentsMax: 10 };

function stateAfter(commands: readonly Draft[], state = new ClusterState()): ClusterState {
  for (const command of commands) {
    state.index += 1;
    const applied = apply(state, { ...command, atMs: 0 }, state.index);
    if (!applied.ok) throw new Error(JSON.stringify(applied.error));
  }
  return state;
}

const deployed: Draft[] = [
  ...['n1', 'n2'].map((node): Draft => ({ kind: 'memberJoin', node, boot: 1, start: `${node}/1`, profile })),
  {
    ...{ kind: 'agentsCreate', agentType: 't', source: 'export default {}', base: 'a', count: 3, name: undefined },
    ...{ strategy: 'round_robin', capabilities: [], holders: 2, request: undefined },
  } as Draft,
  { kind: 'kvPut', key: 'k', value: new Uint8Array([1, 2, 3]) } as Draft,
];
const decision: Decision = { strategy: 'round_robin', node: 'n1', ranked: [], rejected: [] };
const placed: Draft[] = [
  {
    ...{ kind: 'agentPlace', agent: 'a-1', after: 0, host: 'n1', boot: 1, holders: ['n1', 'n2'] },
    ...{ reason: 'deployed', decision },
  } as Draft,
];

function copyOf(state: ClusterState): ClusterState {
  const copy = new ClusterState();
  loadState(copy, encodeState(state));
  return copy;
}

describe('a state as bytes', () => {
  test('comes back as it was', () => {
    const state = stateAfter(deployed);
    state.audit.add({ index: 1, atMs: 7, kind: 'memberJoined', text: 'n1 joined', details: { node: 'n1' } });
    const copy = copyOf(state);
    expect(copy.audit.reports).toEqual(state.audit.reports);
    expect([...copy.agents.keys()]).toEqual(['a-1', 'a-2', 'a-3']);
    expect(copy.kv.get('k')).toEqual(state.kv.get('k'));
    expect(encodeState(copy)).toEqual(encodeState(state));
  });

  test('is the same for those who read the log and those who began with a snapshot on the way', () => {
    const all = stateAfter([...deployed, ...placed]);
    const some = stateAfter(placed, copyOf(stateAfter(deployed)));
    expect(encodeState(some)).toEqual(encodeState(all));
    expect(some.agents.get('a-1')?.placement?.host).toBe('n1');
    const one = stateAfter([{ kind: 'agentActive', agent: 'a-1', epoch: 5 } as Draft], some);
    const other = stateAfter([{ kind: 'agentActive', agent: 'a-1', epoch: 5 } as Draft], all);
    expect(encodeState(one)).toEqual(encodeState(other));
    expect(encodeState(one)).not.toEqual(encodeState(copyOf(stateAfter([...deployed, ...placed]))));
  });
});

describe('what the state keeps is bounded', () => {
  test('a decision tells of so many nodes and counts the others', () => {
    const node = (n: number) => ({ node: `n${n}`, name: `node-${n}` });
    const ranked = Array.from({ length: 40 }, (_, n) => ({ ...node(n), score: 1 / (n + 1), why: 'idle' }));
    const rejected = Array.from({ length: 17 }, (_, n) => ({ ...node(n), reason: 'full' }));
    const told = brief({ strategy: 's', node: 'n0', ranked, rejected });
    expect(told.ranked).toEqual(ranked.slice(0, limits.explainedMax));
    expect(told.omitted).toEqual({ ranked: 40 - limits.explainedMax, rejected: 17 - limits.explainedMax });
    const short = { strategy: 's', node: 'n0', ranked: ranked.slice(0, 3), rejected: [] };
    expect(brief(short)).toBe(short);
  });

  test('rare reports make room for newer ones, recoveries last', () => {
    const audit = new Audit();
    const add = (index: number, kind: string, details = {}) => audit.add({ index, atMs: 0, kind, text: '', details });
    add(1, 'clusterRecovered');
    add(2, 'kvChanged');
    for (let index = 3; index < limits.auditMax + 13; index++) add(index, 'memberJoined');
    expect(audit.reports).toHaveLength(limits.auditMax);
    expect(audit.reports.slice(0, 2).map(({ index }) => index)).toEqual([1, 14]);
    add(9_999, 'votersChanged', { learners: ['x'.repeat(limits.auditDetailsMax)] });
    expect(audit.reports.at(-1)).toMatchObject({ index: 9_999, details: {} });
  });
});
