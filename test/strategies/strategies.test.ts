import { describe, expect, test } from 'vitest';
import { choose } from '../../strategies/choose.ts';
import { whyInfeasible } from '../../strategies/feasibility.ts';
import { leastLoaded } from '../../strategies/least-loaded.ts';
import { strategies } from '../../strategies/registry.ts';
import { roundRobin } from '../../strategies/round-robin.ts';
import { candidate, request } from './candidates.ts';

test('strategies are found by the names that a deployment gives', () => {
  expect([...strategies.keys()].sort()).toEqual(['least_loaded', 'round_robin']);
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
    expect(whyInfeasible(candidate('n', but), request({ capabilities }))).toBe(why);
  });
});

describe('round_robin', () => {
  const three = [candidate('b'), candidate('c', { agents: 9, cpu: 1 }), candidate('a', { agents: 3 })];
  const chosen = (candidates: Parameters<typeof choose>[2]) =>
    [0, 1, 2, 3, 4].map((turn) => choose(roundRobin, request({ turn }), candidates).node);

  test('gives every node its turn in the order of node ids, whatever is on it', () => {
    expect(chosen(three)).toEqual(['a', 'b', 'c', 'a', 'b']);
  });

  test('gives no turn to a node that cannot take the agent', () => {
    expect(chosen([...three, candidate('aa', { draining: true })])).toEqual(['a', 'b', 'c', 'a', 'b']);
  });

  test('says when the turn of the others comes', () => {
    const { ranked } = choose(roundRobin, request({ turn: 1 }), three);
    expect(ranked.map(({ node, why }) => `${node}: ${why}`)).toEqual([
      'b: its turn',
      'c: its turn comes in 1',
      'a: its turn comes in 2',
    ]);
  });
});

describe('least_loaded', () => {
  const order = (...candidates: Parameters<typeof choose>[2]) =>
    choose(leastLoaded, request(), candidates).ranked.map(({ node }) => node);

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
    const { ranked } = choose(leastLoaded, request(), [
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
      const { node = '' } = choose(leastLoaded, request({ turn: at }), listed);
      agents.set(node, (agents.get(node) ?? 0) + 1);
    }
    expect(Object.fromEntries(agents)).toEqual({ a: 4, b: 4, c: 4 });
  });
});
