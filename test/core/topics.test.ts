import { describe, expect, test } from 'vitest';
import { Addressing } from '../../node/core/addressing.ts';
import { apply } from '../../node/core/apply.ts';
import { ClusterState } from '../../node/core/cluster-state.ts';
import type { Command } from '../../node/core/command.ts';
import type { Context } from '../../node/core/context.ts';
import type { LoadBoard } from '../../node/core/load-board.ts';

/** Agents `t-1` and `t-2` of a log, and whom a node that reads it takes a topic to mean. */
class Log {
  readonly state = new ClusterState();
  readonly addressing = new Addressing({ random: () => 0 } as Context, this.state, {} as LoadBoard);
  #index = 0;

  constructor() {
    const about = { agentType: 't', source: 'x', base: 't', strategy: 'least_loaded', capabilities: [], holders: 1 };
    this.add({ kind: 'agentsCreate', atMs: 1, request: undefined, name: undefined, count: 2, topics: ['a'], ...about });
  }

  add(command: Command) {
    const applied = apply(this.state, command, ++this.#index);
    if (applied.ok) this.addressing.onApplied(applied.kind);
    return applied;
  }

  set(agent: string, topics: string[]) {
    return this.add({ kind: 'agentTopics', atMs: 1, agent, topics });
  }

  means(topic: string): string {
    return this.addressing.resolve({ topic }).join(' ');
  }
}

describe('the topics of an agent', () => {
  test('are those that were set last, for whoever has read that far', () => {
    const log = new Log();
    expect([log.means('a'), log.means('b')]).toEqual(['t-1 t-2', '']);
    expect(log.set('t-1', ['b', 'c', 'b'])).toMatchObject({
      ...{ kind: 'topicsChanged', text: 't-1 has the topics b, c', agents: ['t-1'] },
      details: { agent: 't-1', topics: ['b', 'c'] },
    });
    expect([log.means('a'), log.means('b'), log.means('c')]).toEqual(['t-2', 't-1', 't-1']);
    expect(log.set('t-1', [])).toMatchObject({ text: 't-1 has no topics any more' });
    expect([log.means('a'), log.means('b')]).toEqual(['t-2', '']);
  });

  test('leave everything else of it as it is', () => {
    const log = new Log();
    const before = log.state.agents.get('t-1');
    log.set('t-1', ['b']);
    expect(log.state.agents.get('t-1')).toEqual({ ...before, topics: ['b'] });
  });

  test('cannot be set of one that there is not', () => {
    const refused = new Log().set('t-9', ['b']);
    expect(refused.ok ? '' : refused.error.code).toBe('agentUnknown');
  });
});
