import { describe, expect, test } from 'vitest';
import { apply } from '../../node/core/apply.ts';
import { ClusterState } from '../../node/core/cluster-state.ts';
import type { Draft } from '../../node/core/command.ts';
import { encodeState, loadState } from '../../node/core/state-snapshot.ts';
import { codeOf, versionOf } from '../../node/core/type-version.ts';
import { typeView } from '../../node/core/type-views.ts';

const decision = { strategy: 'least_loaded', node: undefined, ranked: [], rejected: [] };

/** A log in which three agents of a type answer on the one node that there is. */
class Log {
  readonly state = new ClusterState();
  index = 0;

  constructor() {
    const profile = { name: 'n1', addresses: [], site: 'a', capabilities: [], admin: '', agentsMax: 100 };
    this.apply({ kind: 'memberJoin', node: 'n1', boot: 1, start: 's', profile });
    this.deploy('v1', ['a', 'b', 'c']);
  }

  apply(draft: Draft) {
    this.index += 1;
    this.state.index = this.index;
    return apply(this.state, { ...draft, atMs: 7 }, this.index);
  }

  deploy(source: string | undefined, names: string[], versioned = true) {
    const results = names.map((name) => {
      const fields = { request: undefined, agentType: 't', source, name, base: name, count: 1, versioned };
      const made = this.apply({
        kind: 'agentsCreate',
        ...fields,
        ...{ strategy: 'least_loaded', capabilities: [], holders: 1 },
      });
      if (made.ok) this.place(name);
      return made;
    });
    return results[0];
  }

  agent(id: string) {
    const agent = this.state.agents.get(id);
    if (agent === undefined) throw new Error(`no ${id}`);
    return agent;
  }

  get type() {
    const type = this.state.types.get('t');
    if (type === undefined) throw new Error('no type');
    return type;
  }

  versions() {
    return [...this.state.agents.values()].map((agent) => `${agent.id}${versionOf(agent)}`).join(' ');
  }

  place(id: string, more: { version?: number; stays?: string; migration?: number } = {}, active = true) {
    const after = this.agent(id).placement?.epoch ?? 0;
    const placed = this.apply({
      ...{ kind: 'agentPlace', agent: id, after, host: 'n1', boot: 1, holders: ['n1'], reason: 'why', decision },
      ...more,
    });
    if (placed.ok && active) this.apply({ kind: 'agentActive', agent: id, epoch: this.index });
    return placed;
  }

  begin(source: string | undefined, more: { previous?: boolean; request?: string } = {}) {
    const fields = { request: undefined, source, maxFailures: 1, settleMs: 10, ...more };
    return this.apply({ kind: 'rolloutBegin', type: 't', ...fields });
  }

  prepare(id: string, version: number) {
    const after = this.agent(id).placement?.epoch ?? 0;
    return this.apply({ kind: 'migrationBegin', agent: id, after, target: 'n1', boot: 1, reason: 'why', version });
  }

  get since(): number {
    return this.type.rollout?.since ?? 0;
  }

  settle(id: string) {
    const epoch = this.agent(id).placement?.epoch ?? 0;
    return this.apply({ kind: 'rolloutSettled', type: 't', since: this.since, agent: id, epoch });
  }

  /** Brings an agent to a version, as far as that it answers. */
  upgrade(id: string, version: number) {
    this.prepare(id, version);
    return this.place(id, { migration: this.index, version });
  }

  turn(reason = 'it failed') {
    return this.apply({ kind: 'rolloutTurn', type: 't', since: this.since, agent: 'a', reason });
  }

  end() {
    return this.apply({ kind: 'rolloutEnd', type: 't', since: this.since });
  }
}

const codeIn = (result: ReturnType<Log['apply']>): string => (result.ok ? result.kind : result.error.code);

describe('a rollout in the log', () => {
  test('upgrades one agent after the other, and makes the version the present one when all run it', () => {
    const log = new Log();
    expect(codeIn(log.begin('v2'))).toBe('rolloutBegun');
    expect([log.type.source, log.type.version ?? 1, codeOf(log.type, 2)?.source]).toEqual(['v1', 1, 'v2']);
    for (const id of ['a', 'b', 'c']) {
      expect(codeIn(log.end())).toBe('commandInvalid');
      log.upgrade(id, 2);
      expect(codeIn(log.settle(id))).toBe('rolloutSettled');
    }
    expect(log.end()).toMatchObject({ ok: true, details: { outcome: 'complete' } });
    expect([log.versions(), log.type.source, log.type.version, log.type.previous]).toEqual(['a2 b2 c2', 'v2', 2, 1]);
    expect(log.agent('a').upgrade).toBeUndefined();
    expect(typeView(log.state, log.type)).toMatchObject({
      version: 2,
      previous: 1,
      versions: [
        { version: 1, agents: 0 },
        { version: 2, agents: 3 },
      ],
      rolloutEnd: { outcome: 'complete', stays: [] },
    });
  });

  test('goes on and ends without an agent that does not answer, and names it; once that answers it is upgraded after all', () => {
    const log = new Log();
    log.begin('v2');
    const leave = (agent: string, reason = 'most of its holders are missing') =>
      log.apply({ kind: 'rolloutLeave', type: 't', since: log.since, agent, reason });
    expect(codeIn(leave('a'))).toBe('commandInvalid');
    // One while it is watched, and one before its turn.
    log.upgrade('a', 2);
    log.place('a', {}, false);
    log.place('b', {}, false);
    expect(codeIn(log.place('c', { version: 2 }))).toBe('commandInvalid');
    expect([codeIn(leave('a')), codeIn(leave('b')), codeIn(leave('b'))]).toEqual([
      'rolloutLeft',
      'rolloutLeft',
      'commandInvalid',
    ]);
    expect(typeView(log.state, log.type).rollout?.counts).toEqual({ left: 2, pending: 1 });
    log.upgrade('c', 2);
    log.settle('c');
    log.apply({ kind: 'agentActive', agent: 'b', epoch: log.agent('b').placement?.epoch ?? 0 });
    expect(codeIn(log.end())).toBe('commandInvalid');
    log.place('b', {}, false);
    expect(log.end()).toMatchObject({ ok: true, details: { outcome: 'complete', left: ['a', 'b'] } });
    expect(log.type.rolloutEnd?.left?.map(({ agent }) => agent)).toEqual(['a', 'b']);
    expect([log.versions(), log.type.version]).toEqual(['a2 b1 c2', 2]);
    expect(log.agent('b').upgrade).toBeUndefined();
  });

  test('goes on without one that no node could ever take, and says so once', () => {
    const log = new Log();
    log.begin('v2');
    const fields = { request: undefined, agentType: 't', source: undefined, name: 'd', base: 'd', count: 1 };
    const spec = { strategy: 'least_loaded' as const, capabilities: [], holders: 1, versioned: true };
    log.apply({ kind: 'agentsCreate', ...fields, ...spec });
    const leave = () =>
      log.apply({ kind: 'rolloutLeave', type: 't', since: log.since, agent: 'd', reason: 'no node can take it' });
    expect([codeIn(leave()), codeIn(leave())]).toEqual(['rolloutLeft', 'commandInvalid']);
    for (const agent of ['a', 'b', 'c']) {
      log.upgrade(agent, 2);
      log.settle(agent);
    }
    expect(log.end()).toMatchObject({ ok: true, details: { outcome: 'complete', left: ['d'] } });
  });

  test('waits anew for those that it went on without when it goes back', () => {
    const log = new Log();
    log.begin('v2');
    log.upgrade('a', 2);
    log.place('a', {}, false);
    log.place('b', {}, false);
    for (const agent of ['a', 'b'])
      log.apply({ kind: 'rolloutLeave', type: 't', since: log.since, agent, reason: 'it fails again and again' });
    log.turn();
    expect(typeView(log.state, log.type).rollout?.counts).toEqual({ going_back: 1, back: 2 });
    expect(codeIn(log.end())).toBe('commandInvalid');
    // Its older version crashes at each start.
    log.place('a', { version: 1 }, false);
    expect(codeIn(log.end())).toBe('commandInvalid');
    log.apply({ kind: 'rolloutLeave', type: 't', since: log.since, agent: 'a', reason: 'it fails again and again' });
    expect(log.end()).toMatchObject({ ok: true, details: { outcome: 'rolledBack', left: ['a'] } });
    expect(log.versions()).toBe('a1 b1 c1');
  });

  test('does not begin with a second agent before the first has held, however that is placed', () => {
    const log = new Log();
    log.begin('v2');
    log.prepare('a', 2);
    expect(codeIn(log.prepare('b', 2))).toBe('commandInvalid');
    expect(codeIn(log.place('b', { version: 2 }))).toBe('commandInvalid');
    log.place('a', { migration: log.agent('a').migration?.since ?? 0, version: 2 });
    expect(codeIn(log.prepare('b', 2))).toBe('commandInvalid');
    expect(codeIn(log.place('b', { version: 2 }))).toBe('commandInvalid');
    log.settle('a');
    expect(codeIn(log.place('b', { version: 2 }))).toBe('agentPlaced');
    expect(log.type.rollout?.at).toEqual({ agent: 'b', failures: 0 });
  });

  test('is settled only by an agent that answers in the epoch that is meant', () => {
    const log = new Log();
    log.begin('v2');
    expect(codeIn(log.settle('a'))).toBe('commandInvalid');
    log.prepare('a', 2);
    log.place('a', { migration: log.index, version: 2 }, false);
    expect(codeIn(log.settle('a'))).toBe('commandInvalid');
  });

  test('goes back to the version that each agent had, and leaves the present one as it was', () => {
    const log = new Log();
    log.deploy('v2', ['d']);
    expect([log.versions(), log.type.version]).toEqual(['a1 b1 c1 d2', 2]);
    log.begin('v3');
    for (const id of ['a', 'd']) {
      log.upgrade(id, 3);
      log.settle(id);
    }
    expect(codeIn(log.turn())).toBe('rolloutTurned');
    expect(codeIn(log.turn())).toBe('commandInvalid');
    expect(codeIn(log.upgrade('b', 3))).toBe('commandInvalid');
    expect(codeIn(log.end())).toBe('commandInvalid');
    expect(codeIn(log.place('a', { version: 2 }))).toBe('commandInvalid');
    log.upgrade('a', 1);
    log.place('d', { version: 2 }, false);
    expect(codeIn(log.end())).toBe('commandInvalid');
    log.apply({ kind: 'agentActive', agent: 'd', epoch: log.index - 1 });
    expect(log.end()).toMatchObject({ ok: true, details: { outcome: 'rolledBack', reason: 'it failed', stays: [] } });
    expect([log.versions(), log.type.source, log.type.version]).toEqual(['a1 b1 c1 d2', 'v2', 2]);
    expect(codeOf(log.type, 3)).toBeUndefined();
  });

  test('tells of an agent that stays on the new version, and keeps the code that it runs', () => {
    const log = new Log();
    log.begin('v2');
    log.upgrade('a', 2);
    log.turn();
    log.place('a', { version: 1 }, false);
    log.place('a', { version: 2, stays: 'there is no way back: it is lost' });
    expect(log.end()).toMatchObject({ ok: true, details: { outcome: 'rolledBack', stays: ['a'] } });
    expect(log.type.rolloutEnd?.stays).toEqual([{ agent: 'a', reason: 'there is no way back: it is lost' }]);
    expect([log.versions(), codeOf(log.type, 2)?.source, log.type.version ?? 1]).toEqual(['a2 b1 c1', 'v2', 1]);
  });

  test('counts what could not be made ready, and not what came to nothing for other reasons', () => {
    const log = new Log();
    log.begin('v2');
    for (const blame of [true, undefined, true]) {
      log.prepare('a', 2);
      const since = log.index;
      log.apply({ kind: 'migrationFail', agent: 'a', since, reason: 'no', blame });
    }
    expect(log.type.rollout?.at).toEqual({ agent: 'a', failures: 2 });
  });

  test('is begun once for one request, one at a time, and only with code that somebody does not run', () => {
    const log = new Log();
    expect(codeIn(log.begin('v1'))).toBe('typeUnchanged');
    expect(codeIn(log.begin(undefined, { previous: true }))).toBe('versionUnknown');
    log.begin('v2', { request: 'mine' });
    const { since } = log;
    expect(log.begin('v2', { request: 'mine' })).toMatchObject({ ok: true });
    expect(log.since).toBe(since);
    expect(codeIn(log.begin('v3'))).toBe('typeUpgrading');
    expect(codeIn(log.deploy('v3', ['d']) ?? log.end())).toBe('typeUpgrading');
    expect(codeIn(log.apply({ kind: 'rolloutTurn', type: 't', reason: 'cancelled' }))).toBe('rolloutTurned');
    expect(codeIn(log.apply({ kind: 'rolloutTurn', type: 't', reason: 'cancelled' }))).toBe('rolloutUnknown');
    expect(log.end()).toMatchObject({ ok: true, details: { outcome: 'rolledBack' } });
    expect(codeIn(log.apply({ kind: 'rolloutTurn', type: 'u', reason: 'cancelled' }))).toBe('typeUnknown');
  });

  test('goes to the version before when that is asked for, and to and fro', () => {
    const log = new Log();
    log.begin('v2');
    for (const id of ['a', 'b', 'c']) {
      log.upgrade(id, 2);
      log.settle(id);
    }
    log.end();
    for (const to of [1, 2]) {
      expect(log.begin(undefined, { previous: true })).toMatchObject({ ok: true, details: { to } });
      for (const id of ['a', 'b', 'c']) {
        log.upgrade(id, to);
        log.settle(id);
      }
      expect(log.end()).toMatchObject({ ok: true, details: { outcome: 'complete' } });
      expect(log.type).toMatchObject({ source: `v${to}`, version: to, previous: 3 - to });
    }
  });
});

describe('versions of a type', () => {
  test('are made by a deployment with other code, for new agents alone', () => {
    const log = new Log();
    log.deploy('v2', ['d']);
    log.deploy(undefined, ['e']);
    expect([log.versions(), codeOf(log.type, 1)?.source]).toEqual(['a1 b1 c1 d2 e2', 'v1']);
  });

  test('are none in logs from before: there, other code takes the place of the code before', () => {
    const log = new Log();
    log.deploy('v2', ['d'], false);
    expect([log.versions(), log.type.source, log.type.others]).toEqual(['a1 b1 c1 d1', 'v2', undefined]);
  });

  test('that may have written the state of an agent, which did not answer on its way back, are kept for that', () => {
    const log = new Log();
    log.begin('v2');
    log.upgrade('a', 2);
    log.turn();
    // It is placed in the version before, and never answers there.
    log.place('a', { version: 1 }, false);
    log.apply({ kind: 'rolloutLeave', type: 't', since: log.since, agent: 'a', reason: 'its holders are gone' });
    expect(codeIn(log.end())).toBe('rolloutEnded');
    log.deploy('v3', ['d']);
    log.deploy('v4', ['e']);
    expect(codeOf(log.type, 2)?.source).toBe('v2');
    expect(codeIn(log.place('a', { version: 2 }))).toBe('agentPlaced');
    expect(log.versions()).toBe('a2 b1 c1 d3 e4');
  });

  test('are kept as long as somebody runs them, and no more than 8 of them', () => {
    const log = new Log();
    const names = [2, 3, 4, 5, 6, 7, 8].map((version) => {
      expect(codeIn(log.deploy(`v${version}`, [`a${version}`]) ?? log.end())).toBe('agentsCreated');
      return `a${version}`;
    });
    expect(codeIn(log.deploy('v9', ['x']) ?? log.end())).toBe('versionsTooMany');
    expect(codeIn(log.begin('v9'))).toBe('versionsTooMany');
    for (const agent of names.slice(0, 3)) log.apply({ kind: 'agentDelete', agent });
    expect(codeIn(log.deploy('v9', ['x']) ?? log.end())).toBe('agentsCreated');
    expect(typeView(log.state, log.type).versions.map(({ version }) => version)).toEqual([1, 5, 6, 7, 8, 9]);
  });

  test('and their rollout are in the snapshot', () => {
    const log = new Log();
    log.begin('v2');
    log.upgrade('a', 2);
    const copy = new ClusterState();
    loadState(copy, encodeState(log.state));
    expect(copy.types.get('t')).toEqual(log.type);
    expect(copy.agents.get('a')?.upgrade).toEqual(log.agent('a').upgrade);
    expect(encodeState(copy)).toEqual(encodeState(log.state));
  });
});
