import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { choose } from '../../strategies/choose.ts';
import { type Mix, mixOf } from '../../strategies/mix.ts';
import { strategies } from '../../strategies/registry.ts';
import { weightSum } from '../../strategies/score.ts';
import type { Strategy } from '../../strategies/strategy.ts';
import { candidate, request } from './candidates.ts';

const weightsOf = (text: string) =>
  mixOf(text, strategies)?.parts.map(({ strategy, weight }) => [strategy.name, weight]);

describe('a mix', () => {
  test('is strategies with weights', () => {
    expect(weightsOf('round_robin')).toEqual([['round_robin', 1_000]]);
    expect(weightsOf('least_loaded=0.7,affinity_based=0.3')).toEqual([
      ['least_loaded', 700],
      ['affinity_based', 300],
    ]);
    expect(weightsOf('least_loaded=1,affinity_based=1,round_robin=1')?.map(([, weight]) => weight)).toEqual([
      334, 333, 333,
    ]);
  });

  test.each([
    '',
    'nobody',
    'least_loaded=0',
    'least_loaded=-1',
    'least_loaded=1e9',
    'least_loaded=',
    'least_loaded=1=2',
    'least_loaded=1,least_loaded=1',
    'least_loaded,round_robin',
    'least_loaded=1,',
  ])('is not "%s"', (text) => {
    expect(mixOf(text, strategies)).toBeUndefined();
  });

  test('has weights that add up, whatever is asked for', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 999_999 }), { minLength: 1, maxLength: strategies.size });
    fc.assert(
      fc.property(weights, (each) => {
        const text = each.map((weight, at) => `${[...strategies.keys()][at]}=${weight}`).join(',');
        const sum = weightsOf(text)?.reduce((total, [, weight]) => total + (weight as number), 0);
        expect(sum).toBe(weightSum);
      }),
    );
  });

  test('weighs what its parts say', () => {
    const nodes = [
      candidate('a', { agents: 10, byType: new Map([['cache', 1]]) }),
      candidate('b', { agents: 0 }),
      candidate('c', { agents: 20 }),
    ];
    const near = request({ affinities: [{ kind: 'type', to: 'cache', weight: 100 }] });
    const chosen = (text: string) => choose(mixOf(text, strategies) as Mix, near, nodes).node;
    expect(chosen('least_loaded=0.9,affinity_based=0.1')).toBe('b');
    expect(chosen('least_loaded=0.1,affinity_based=0.9')).toBe('a');
    const [first] = choose(mixOf('least_loaded=0.5,affinity_based=0.5', strategies) as Mix, near, nodes).ranked;
    expect(first?.why).toBe(
      'least_loaded 39.00 (10 agents, cpu 0.00) + affinity_based 16.00 (near agents of type cache)',
    );
  });

  test('can have a strategy in it that an operator added', () => {
    const byName: Strategy = {
      name: 'by_name',
      score: ({ name }) => (name === 'name-of-b' ? 1_000 : 0),
      why: () => 'by its name',
    };
    const known = new Map([...strategies, [byName.name, byName] as const]);
    const nodes = [candidate('a'), candidate('b')];
    expect(choose(mixOf('by_name', known) as Mix, request(), nodes).node).toBe('b');
    expect(choose(mixOf('by_name=1,least_loaded=1', known) as Mix, request(), nodes).node).toBe('b');
  });
});
