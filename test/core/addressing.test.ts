import { describe, expect, test } from 'vitest';
import { Addressing } from '../../node/core/addressing.ts';
import type { ClusterState } from '../../node/core/cluster-state.ts';
import type { Context } from '../../node/core/context.ts';
import type { LoadBoard } from '../../node/core/load-board.ts';

/** Agents, by name: the type, the host, and the topics. */
function addressing(
  agents: Record<string, [type: string, host: string, ...topics: string[]]>,
  waits: Record<string, number>,
) {
  const records = new Map(
    Object.entries(agents).map(([id, [type, host, ...topics]]) => [
      id,
      { id, type, topics, placement: { epoch: 1, host }, active: host === '' ? undefined : { epoch: 1, host } },
    ]),
  );
  let drawn = 0;
  const context = { random: () => (drawn = (drawn + 0.37) % 1) } as unknown as Context;
  const loads = { of: (node: string) => ({ queueDepth: waits[node] ?? 0, cpu: 0 }) } as unknown as LoadBoard;
  return { records, to: new Addressing(context, { agents: records } as unknown as ClusterState, loads) };
}

const many = Object.fromEntries(
  Array.from({ length: 10 }, (_, i) => [`c${i}`, ['counter', `n${i}`] as [string, string]]),
);

describe('an address', () => {
  test('that is a name means that agent, whether it is there or not', () => {
    expect(addressing({}, {}).to.resolve('x')).toEqual(['x']);
  });

  test('of a topic means all that were deployed with it', () => {
    const { to } = addressing({ a: ['t', 'n1', 'prices', 'news'], b: ['u', 'n1', 'prices'], c: ['t', 'n1'] }, {});
    expect(to.resolve({ topic: 'prices' })).toEqual(['a', 'b']);
    expect(to.resolve({ topic: 'weather' })).toEqual([]);
  });

  test('of a type means nobody where there is none, and those that come once they are known', () => {
    const { to, records } = addressing({}, {});
    expect(to.resolve({ type: 'counter' })).toEqual([]);
    records.set('c', { id: 'c', type: 'counter', topics: [], placement: { epoch: 1, host: 'n1' }, active: undefined });
    to.forget();
    expect(to.resolve({ type: 'counter' })).toEqual(['c']);
  });

  test('of a type prefers whoever has less to do, and one that answers', () => {
    const { to } = addressing({ busy: ['counter', 'n1'], idle: ['counter', 'n2'], lost: ['counter', ''] }, { n1: 50 });
    const chosen = Array.from({ length: 300 }, () => to.resolve({ type: 'counter' })[0]);
    const count = (id: string): number => chosen.filter((one) => one === id).length;
    expect(count('idle')).toBeGreaterThan(count('busy'));
    expect(count('busy')).toBeGreaterThan(count('lost'));
  });

  test('with a key means the same one, and only the keys of one that goes move', () => {
    const before = addressing(many, {}).to;
    const { c3: _, ...others } = many;
    const after = addressing(others, {}).to;
    const keys = Array.from({ length: 500 }, (_, i) => `customer-${i}`);
    const of = (to: Addressing) => keys.map((key) => to.resolve({ type: 'counter', key })[0]);
    const [first, second] = [of(before), of(after)];
    expect(of(before)).toEqual(first);
    for (const [i, agent] of first.entries()) if (agent !== 'c3') expect(second[i]).toBe(agent);
    // All get their share.
    for (const agent of Object.keys(many)) expect(first.filter((one) => one === agent).length).toBeGreaterThan(20);
  });
});
