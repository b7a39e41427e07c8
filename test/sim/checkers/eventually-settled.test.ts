import { describe, expect, test } from 'vitest';
import type { Effect } from '../../../node/core/effect.ts';
import type { AgentView, NodeView, StatusView } from '../../../node/core/operation.ts';
import { awaitSettled, type Settled } from '../../../sim/checkers/eventually-settled.ts';
import { counter } from '../../../sim/counter.ts';
import { scriptedWorld } from '../scripted-node.ts';
import { putHolder } from './planted.ts';

const nodes = ['n1', 'n2', 'n3'];

const nodeView = (id: string, parts: Partial<NodeView> = {}): NodeView => ({
  id,
  name: id,
  admin: '',
  addresses: [],
  site: 'site-1',
  machine: '',
  capabilities: [],
  membership: 'alive',
  reachable: true,
  status: 'active',
  drain: undefined,
  voter: true,
  voterReason: 'founder',
  leader: id === 'n1',
  agents: 0,
  agentsMax: 100,
  load: undefined,
  ...parts,
});

const agentView = (id: string, parts: Partial<AgentView> = {}): AgentView => ({
  id,
  type: 'counter',
  strategy: 'round_robin',
  status: 'active',
  topics: [],
  host: 'n2',
  hostName: 'n2',
  epoch: 4,
  holders: nodes,
  holdersWanted: 3,
  capabilities: [],
  decision: undefined,
  reason: 'deployed',
  migration: undefined,
  migrationEnd: undefined,
  failures: undefined,
  stuck: undefined,
  loss: undefined,
  ...parts,
});

/** What every node answers to a status, when all is well. */
const rightView = (self: string): StatusView => ({
  cluster: 'c',
  mode: 'quorum',
  self,
  leader: { id: 'n1', name: 'n1', admin: '', term: 7 },
  nodes: nodes.map((id) => nodeView(id)),
  agents: [agentView('a')],
  index: 9,
});

interface Flaw {
  /** What a node sees instead. */
  view?: (self: string, seconds: number) => Partial<StatusView> | undefined;
  /** Instances: agents by node. */
  runs?: Record<string, string[]>;
  mute?: string;
  /** Has step 7 of epoch 3 of agent a on its disk. */
  keeps?: string;
}

/** Three nodes of which n1 leads and n2 runs agent a, but for a flaw. */
function settle({ view, runs = { n2: ['a'] }, mute, keeps }: Flaw, settled: Settled | string[] = ['a']): number {
  const { world } = scriptedWorld(
    (event, _at, { id }): Effect[] => {
      if (event.type === 'wake') {
        const start = { type: 'startAgent', agentType: 'counter', epoch: 4, source: '', state: undefined } as const;
        const kept: Effect = { type: 'persist', id: 1, writes: [putHolder('a', 3, 3, 7)] };
        return [...(id === keeps ? [kept] : []), ...(runs[id] ?? []).map((agent) => ({ ...start, agent }))];
      }
      if (event.type !== 'request' || id === mute) return [];
      const result = { ...rightView(id), ...view?.(id, world.nowMs / 1_000) };
      return [{ type: 'reply', request: event.request, outcome: { ok: true, result } }];
    },
    { nodes: nodes.length, programs: { counter } },
  );
  return awaitSettled(world, settled, 5_000);
}

test('one leader, equal views and every agent once is settled', () => {
  expect(settle({})).toBeLessThan(1_000);
});

test('what is wrong at first and right in time is settled, and it says how long it took', () => {
  const tookMs = settle({ view: (_self, seconds) => (seconds < 2 ? { mode: 'autonomous' } : undefined) });
  expect(tookMs).toBeGreaterThan(1_900);
  expect(tookMs).toBeLessThan(3_000);
});

const at = (node: string, parts: Partial<StatusView>) => (self: string) => (self === node ? parts : undefined);
const changed = (id: string, parts: Partial<NodeView>) => nodes.map((node) => nodeView(node, node === id ? parts : {}));
const led = (id: string, term: number) => ({ id, name: id, admin: '', term });

test.each<[string, string, Flaw]>([
  ['a node that says nothing', 'n3 does not tell its status', { mute: 'n3' }],
  ['a node that hears no majority', 'n2: it hears no majority', { view: at('n2', { mode: 'autonomous' }) }],
  ['a node without a leader', 'leader undefined is away', { view: at('n2', { leader: undefined }) }],
  ['a leader that is not there', 'leader n9 is away', { view: () => ({ leader: led('n9', 7) }) }],
  ['two leaders', 'n1 sees leader n1 of term 7', { view: at('n2', { leader: led('n2', 8) }) }],
  [
    'a living node that is seen as inactive',
    'it sees n3, which runs, as inactive',
    { view: () => ({ nodes: changed('n3', { status: 'inactive' }) }) },
  ],
  [
    'a node that nobody knows and somebody sees as alive',
    'it sees n9, which is away, as alive',
    { view: () => ({ nodes: [...nodes, 'n9'].map((id) => nodeView(id)) }) },
  ],
  ['views that differ', 'n1 sees leader n1', { view: at('n2', { nodes: changed('n3', { voter: false }) }) }],
  ['an agent that nobody knows', 'agent a is unknown', { view: () => ({ agents: [] }) }],
  [
    'an agent that recovers for ever',
    'agent a is recovering: deployed',
    { view: () => ({ agents: [agentView('a', { status: 'recovering' })] }) },
  ],
  [
    'an agent that nobody wants',
    'agents that nobody wants: b',
    { view: () => ({ agents: [agentView('a'), agentView('b')] }) },
  ],
  ['an agent without an instance', 'instances of a: none', { runs: {} }],
  ['an agent with two', 'instances of a: n2 in 4, n3 in 4', { runs: { n2: ['a'], n3: ['a'] } }],
  ['one elsewhere than it is said to be', 'instances of a: n3 in 4', { runs: { n3: ['a'] } }],
  [
    'a state that a former holder keeps',
    'n3 keeps a state of a, of which it is no holder',
    { keeps: 'n3', view: () => ({ agents: [agentView('a', { holders: ['n1', 'n2'] })] }) },
  ],
  ['an instance that nobody wants', 'an instance of b runs on n3, nobody wants it', { runs: { n2: ['a'], n3: ['b'] } }],
])('a violation: %s', (_what, reason, flaw) => {
  expect(() => settle(flaw)).toThrow('not settled within 5000 ms');
  expect(() => settle(flaw)).toThrow(reason);
});

test('a former holder may keep what an operator gave up, or what it is to have after a move', () => {
  const agent = (parts: Partial<AgentView>): Flaw => ({
    keeps: 'n3',
    view: () => ({ agents: [agentView('a', { holders: ['n1', 'n2'], ...parts })] }),
  });
  const loss = { index: 4, from: 'n1', epoch: 3, sequence: 6, missing: ['n3'], lost: 1 };
  expect(settle(agent({ loss }))).toBeLessThan(1_000);
  expect(() => settle(agent({ loss: { ...loss, sequence: 7 } }))).toThrow('n3 keeps a state of a');
});

describe('of a part of the nodes', () => {
  test('the others may say and run what they will', () => {
    const flaw: Flaw = {
      mute: 'n3',
      runs: { n2: ['a'], n3: ['a', 'b'] },
      view: () => ({ nodes: changed('n3', { membership: 'dead', status: 'inactive' }) }),
    };
    const settled = { wanted: ['a'], nodes: ['n1', 'n2'] };
    expect(settle(flaw, settled)).toBeLessThan(1_000);
    expect(() => settle({ ...flaw, runs: { n3: ['a'] } }, settled)).toThrow('instances of a: none');
  });

  test('agents of which nobody knows whether they run are excused', () => {
    const excused = () => ['b'];
    const view = at('n2', { agents: [agentView('a'), agentView('b')] });
    expect(settle({ view, runs: { n2: ['a', 'b'] } }, { wanted: () => ['a'], excused })).toBeLessThan(1_000);
  });
});
