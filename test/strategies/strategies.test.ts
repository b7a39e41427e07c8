import { describe, expect, test } from 'vitest';
import { affinityBased } from '../../strategies/affinity-based.ts';
import { capabilityMatch } from '../../strategies/capability-match.ts';
import { choose } from '../../strategies/choose.ts';
import { whyInfeasible } from '../../strategies/feasibility.ts';
import { leastLoaded } from '../../strategies/least-loaded.ts';
import { alone } from '../../strategies/mix.ts';
import { reasonText } from '../../strategies/reason.ts';
import { strategies } from '../../strategies/registry.ts';
import { resourceOptimal } from '../../strategies/resource-optimal.ts';
import { roundRobin } from '../../strategies/round-robin.ts';
import { candidate, request } from './candidates.ts';

test('strategies are found by the names that a deployment gives', () => {
  expect([...strategies.keys()].sort()).toEqual([
    'affinity_based',
    'capability_match',
    'least_loaded',
    'resource_optimal',
    'round_robin',
  ]);
  expect(strategies.get('round_robin')).toBe(roundRobin);
});

describe('feasibility', () => {
  test.each([
    [{}, [], undefined],
    [{ draining: true }, [], 'is draining'],
    [{}, ['gpu'], 'lacks capability gpu'],
    [{ capabilities: ['edge'] }, ['gpu', 'edge', 'trading'], 'lacks capabilities gpu, trading'],
    [{ capabilities: ['gpu', 'edge'] }, ['edge'], undefined],
    [{ agents: 50 }, [], 'has its most agents (50)'],
    [{ agents: 49 }, [], undefined],
    [{ agentsMax: 0 }, [], 'has its most agents (0)'],
  ])('of a node with %j for an agent that needs %j: %s', (but, capabilities, why) => {
    const reason = whyInfeasible(candidate('n', but), request({ capabilities }));
    expect(reason && reasonText(reason)).toBe(why);
  });
});

describe('round_robin', () => {
  const three = [candidate('b'), candidate('c', { agents: 9, cpu: 1 }), candidate('a', { agents: 3 })];
  const chosen = (candidates: Parameters<typeof choose>[2]) =>
    [0, 1, 2, 3, 4].map((turn) => choose(alone(roundRobin), request({ turn }), candidates).node);

  test('gives every node its turn in the order of node ids, whatever is on it', () => {
    expect(chosen(three)).toEqual(['a', 'b', 'c', 'a', 'b']);
  });

  test('gives no turn to a node that cannot take the agent', () => {
    expect(chosen([...three, candidate('aa', { draining: true })])).toEqual(['a', 'b', 'c', 'a', 'b']);
  });

  test('says when the turn of the others comes', () => {
    const { ranked } = choose(alone(roundRobin), request({ turn: 1 }), three);
    expect(ranked.map(({ node, why }) => `${node}: ${why}`)).toEqual([
      'b: its turn',
      'c: its turn comes in 1',
      'a: its turn comes in 2',
    ]);
  });
});

describe('least_loaded', () => {
  const order = (...candidates: Parameters<typeof choose>[2]) =>
    choose(alone(leastLoaded), request(), candidates).ranked.map(({ node }) => node);

  test('prefers fewer agents, however busy the processor', () => {
    expect(order(candidate('a', { agents: 2 }), candidate('b', { agents: 1, cpu: 90_000 }))).toEqual(['b', 'a']);
  });

  test('prefers the less busy processor among nodes with as many agents, then the lower node id', () => {
    const listed = [0.12, 0.75, 0.12].map((cpu, at) => candidate(`n${2 - at}`, { agents: 3, cpu }));
    expect(order(...listed)).toEqual(['n0', 'n2', 'n1']);
  });

  test('takes a load that is not known for none', () => {
    expect(order(candidate('a', { cpu: 0.1 }), candidate('b', { cpu: Number.NaN }))).toEqual(['b', 'a']);
  });

  test('says what it went by', () => {
    const { ranked } = choose(alone(leastLoaded), request(), [
      candidate('a', { agents: 3, cpu: 0.123 }),
      candidate('b', { agents: 1 }),
    ]);
    expect(ranked.map(({ why }) => why)).toEqual(['1 agent, cpu 0.00', '3 agents, cpu 0.12']);
  });

  test('spreads a deployment evenly', () => {
    const agents = new Map([
      ['a', 0],
      ['b', 2],
      ['c', 0],
    ]);
    for (let at = 0; at < 10; at++) {
      const listed = [...agents].map(([node, count]) => candidate(node, { agents: count }));
      const { node = '' } = choose(alone(leastLoaded), request({ turn: at }), listed);
      agents.set(node, (agents.get(node) ?? 0) + 1);
    }
    expect(Object.fromEntries(agents)).toEqual({ a: 4, b: 4, c: 4 });
  });
});

describe('least_loaded of nodes with resources', () => {
  const order = (resources: Record<string, number>, ...candidates: Parameters<typeof choose>[2]) =>
    choose(alone(leastLoaded), request({ resources }), candidates).ranked.map(({ node }) => node);

  test('goes by the fullest resource, in shares of what each node has', () => {
    const small = candidate('a', { agents: 1, capacity: { memory: 1_000 }, used: { memory: 600 } });
    const large = candidate('b', { agents: 5, capacity: { memory: 10_000 }, used: { memory: 4_000 } });
    expect(order({ memory: 100 }, small, large)).toEqual(['b', 'a']);
  });

  test('counts agents that came after the measurement as busy as those before', () => {
    const idle = candidate('a', { agents: 10, cpu: 0.5, measured: { agents: 1, ageMs: 5_000 } });
    const busy = candidate('b', { agents: 10, cpu: 2, measured: { agents: 10, ageMs: 5_000 } });
    expect(order({}, idle, busy)).toEqual(['b', 'a']);
  });

  test('forgets a load that nobody renewed', () => {
    const old = candidate('b', { cpu: 9, measured: { agents: 0, ageMs: 60_001 } });
    expect(order({}, candidate('c', { cpu: 0.1 }), old)).toEqual(['b', 'c']);
  });
});

test('capability_match leaves rare capabilities to those who need them, then takes the emptiest node', () => {
  const nodes = [
    candidate('a', { capabilities: ['gpu=2', 'edge'] }),
    candidate('b', { capabilities: ['gpu=2'], agents: 4 }),
    candidate('c', { capabilities: ['gpu=3'], agents: 3 }),
  ];
  const { ranked } = choose(alone(capabilityMatch), request({ capabilities: ['gpu>=2'] }), nodes);
  expect(ranked.map(({ node, why }) => `${node}: ${why}`)).toEqual([
    'c: offers no more than it needs',
    'b: offers no more than it needs',
    'a: offers 1 more than it needs',
  ]);
});

describe('resource_optimal', () => {
  const node = (name: string, cpu: number, memory: number) =>
    candidate(name, { capacity: { cpu: 1_000, memory: 1_000 }, used: { cpu, memory } });
  const order = (...nodes: Parameters<typeof choose>[2]) =>
    choose(alone(resourceOptimal), request({ resources: { cpu: 100, memory: 100 } }), nodes).ranked;

  test('fills the fullest node that still has room', () => {
    expect(order(node('a', 0, 0), node('b', 500, 500), node('c', 950, 950)).map((each) => each.node)).toEqual([
      'b',
      'a',
    ]);
  });

  test('uses the resources of a node evenly', () => {
    const ranked = order(node('a', 600, 200), node('b', 400, 400));
    expect(ranked.map(({ node: each, why }) => `${each}: ${why}`)).toEqual([
      'b: 50 % full with it',
      'a: 50 % full with it, resources 40 % apart',
    ]);
  });

  test('fills nodes without resources by their number of agents', () => {
    expect(order().length).toBe(0);
    const { ranked } = choose(alone(resourceOptimal), request(), [candidate('a'), candidate('b', { agents: 3 })]);
    expect(ranked.map((each) => each.node)).toEqual(['b', 'a']);
  });
});

describe('affinity_based', () => {
  const order = (wanted: Parameters<typeof request>[0], ...nodes: Parameters<typeof choose>[2]) =>
    choose(alone(affinityBased), request(wanted), nodes).ranked.map(({ node }) => node);
  const cached = (name: string, count: number) => candidate(name, { byType: new Map([['cache', count]]) });

  test('goes where more of what it likes is, and less of what it does not', () => {
    const like = { affinities: [{ kind: 'type', to: 'cache', weight: 50 }] } as const;
    const avoid = { affinities: [{ kind: 'type', to: 'cache', weight: -50 }] } as const;
    expect(order(like, cached('a', 0), cached('b', 3), cached('c', 1))).toEqual(['b', 'c', 'a']);
    expect(order(avoid, cached('a', 3), cached('b', 0), cached('c', 1))).toEqual(['b', 'c', 'a']);
  });

  test('starts where its state is, all else being equal', () => {
    expect(order({}, candidate('a'), candidate('b', { holdsState: true, agents: 5 }))).toEqual(['b', 'a']);
  });

  test('prefers the site with the fewest of its type', () => {
    const own = (name: string, site: string, count: number) =>
      candidate(name, { site, byType: new Map([['a', count]]) });
    const nodes = [own('a', 'eu', 2), own('b', 'us', 1), own('c', 'asia', 0)];
    expect(order({ spread: {} }, ...nodes)).toEqual(['c', 'b', 'a']);
    expect(order({}, ...nodes)).toEqual(['a', 'b', 'c']);
  });
});
