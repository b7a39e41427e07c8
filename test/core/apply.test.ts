import { describe, expect, test } from 'vitest';
import { apply } from '../../node/core/apply.ts';
import { ClusterState } from '../../node/core/cluster-state.ts';
import type { Draft } from '../../node/core/command.ts';

const decision = { strategy: 'least_loaded', node: undefined, ranked: [], rejected: [] };

/** A log in which `a`, `b` and `c` are members and agents are deployed. */
class Log {
  readonly state = new ClusterState();
  index = 0;

  constructor() {
    for (const node of ['a', 'b', 'c']) this.join(node, 1);
  }

  apply(draft: Draft) {
    this.index += 1;
    this.state.index = this.index;
    return apply(this.state, { ...draft, atMs: 0 }, this.index);
  }

  join(node: string, boot: number) {
    const profile = { name: node, addresses: [], site: 's', capabilities: [], admin: '', agentsMax: 10 };
    return this.apply({ kind: 'memberJoin', node, boot, start: `${node}-${boot}`, profile });
  }

  deploy(name: string | undefined, base = name ?? 'agent') {
    const wanted = { request: undefined, agentType: 't', source: 's', name, base, count: 1, holders: 2 };
    return this.apply({ kind: 'agentsCreate', ...wanted, strategy: 'least_loaded', capabilities: [] });
  }

  /** Returns what came of it, and the epoch that it would have. */
  place(agent: string, host: string, holders: string[], boot = 1) {
    const after = this.state.agents.get(agent)?.placement?.epoch ?? 0;
    const applied = this.apply({ kind: 'agentPlace', agent, after, host, boot, holders, reason: 'why', decision });
    return { ok: applied.ok, epoch: this.index };
  }

  activate(agent: string, epoch: number) {
    return this.apply({ kind: 'agentActive', agent, epoch });
  }
}

describe('a placement', () => {
  test('on a host that died after it was proposed is void, also when that is back by then', () => {
    const log = new Log();
    log.deploy('x');
    log.apply({ kind: 'memberDead', node: 'a', boot: 1, accusers: ['b'] });
    expect(log.place('x', 'a', ['a', 'b']).ok).toBe(false);
    log.join('a', 2);
    expect(log.place('x', 'a', ['a', 'b'], 1).ok).toBe(false);
    expect(log.state.agents.get('x')?.placement).toBeUndefined();
    expect(log.place('x', 'a', ['a', 'b'], 2).ok).toBe(true);
  });

  test('is not made active by a late word that the one before it is copied', () => {
    const log = new Log();
    log.deploy('x');
    const first = log.place('x', 'a', ['a', 'b']);
    log.activate('x', first.epoch);
    const second = log.place('x', 'b', ['b', 'c']);
    const third = log.place('x', 'c', ['c', 'b']);
    expect(log.activate('x', second.epoch).ok).toBe(false);
    expect(log.state.agents.get('x')?.active).toMatchObject({ epoch: first.epoch, host: 'a' });
    expect(log.activate('x', third.epoch).ok).toBe(true);
    expect(log.state.agents.get('x')?.active).toMatchObject({ epoch: third.epoch, host: 'c' });
  });
});

describe('the name of a deleted agent', () => {
  test('is taken until its end, also for agents that are given a name, and then free', () => {
    const log = new Log();
    log.deploy('x-1');
    const { epoch } = log.place('x-1', 'a', ['a', 'b']);
    log.activate('x-1', epoch);
    log.apply({ kind: 'agentDelete', agent: 'x-1' });
    const index = log.index;
    expect(log.deploy('x-1')).toMatchObject({ ok: false, error: { code: 'agentExists' } });
    expect(log.deploy(undefined, 'x').ok).toBe(true);
    expect([...log.state.agents.keys()]).toEqual(['x-2']);
    log.apply({ kind: 'agentGone', agent: 'x-1', index });
    expect(log.deploy('x-1').ok).toBe(true);
  });
});
