import { describe, expect, test } from 'vitest';
import { apply } from '../../node/core/apply.ts';
import { ClusterState } from '../../node/core/cluster-state.ts';
import type { Draft } from '../../node/core/command.ts';
import { encodeState, loadState } from '../../node/core/state-snapshot.ts';

const decision = { strategy: 'least_loaded', node: undefined, ranked: [], rejected: [] };

/** A log in which `a` answers on n1, with holders n1 to n3 of four nodes. */
class Log {
  readonly state = new ClusterState();
  index = 0;
  epoch = 0;

  constructor(agentsMax = 10) {
    for (const node of ['n1', 'n2', 'n3', 'n4']) this.join(node, 1, agentsMax);
    this.apply({
      ...{ kind: 'agentsCreate', request: undefined, agentType: 't', source: 's', name: 'a', base: 'a', count: 1 },
      ...{ strategy: 'least_loaded', capabilities: [], holders: 3 },
    });
    this.place(['n1', 'n2', 'n3'], 0);
    this.activate();
  }

  apply(draft: Draft) {
    this.index += 1;
    this.state.index = this.index;
    return apply(this.state, { ...draft, atMs: 7 }, this.index);
  }

  join(node: string, boot: number, agentsMax = 10) {
    const profile = { name: node, addresses: [], site: 'a', capabilities: [], admin: '', agentsMax };
    return this.apply({ kind: 'memberJoin', node, boot, start: `${node}-${boot}`, profile });
  }

  place(holders: string[], after = this.epoch, migration?: number) {
    const [host = ''] = holders;
    const draft = { kind: 'agentPlace' as const, agent: 'a', after, host, boot: 1, holders, reason: 'why', decision };
    const placed = this.apply({ ...draft, migration });
    if (placed.ok) this.epoch = this.index;
    return placed;
  }

  activate() {
    return this.apply({ kind: 'agentActive', agent: 'a', epoch: this.epoch });
  }

  begin(target: string, after = this.epoch, boot = 1) {
    return this.apply({ kind: 'migrationBegin', agent: 'a', after, target, boot, reason: 'asked for' });
  }

  get agent() {
    return this.state.agents.get('a');
  }

  get since(): number {
    return this.agent?.migration?.since ?? 0;
  }
}

const refused = (code: string, reason: RegExp) => ({
  ok: false,
  error: { code, message: expect.stringMatching(reason) },
});

describe('at its place in the log', () => {
  test('a move keeps why it began, in a snapshot too, as long as it goes on', () => {
    const log = new Log();
    const why = { ...decision, node: 'n4', ordered: true };
    const begin = { kind: 'migrationBegin' as const, agent: 'a', after: log.epoch, target: 'n4', boot: 1 };
    expect(log.apply({ ...begin, reason: 'asked for', decision: why })).toMatchObject({ ok: true });
    const copy = new ClusterState();
    loadState(copy, encodeState(log.state));
    expect(copy.agents.get('a')?.migration?.decision).toEqual(why);
  });

  test('a move is begun, prepared, switched and over when the agent answers at its target', () => {
    const log = new Log();
    expect(log.begin('n4')).toMatchObject({ ok: true, kind: 'migrationBegun', agents: ['a'] });
    const { since } = log;
    expect(log.agent).toMatchObject({ placement: { host: 'n1' }, migration: { since, sinceMs: 7, target: 'n4' } });
    expect(log.apply({ kind: 'migrationPrepared', agent: 'a', since, bytes: 12 })).toMatchObject({ ok: true });
    expect(log.place(['n4', 'n1', 'n2'], log.epoch, since)).toMatchObject({ ok: true, details: { migration: since } });
    expect(log.agent).toMatchObject({
      placement: { host: 'n4' },
      active: { host: 'n1' },
      migration: { preparedBytes: 12, epoch: log.epoch },
    });
    expect(log.activate()).toMatchObject({ ok: true });
    expect(log.agent?.migration).toBeUndefined();
    expect(log.agent?.migrationEnd).toBeUndefined();
  });

  test.each([
    ['a second one meanwhile', (log: Log) => (log.begin('n4'), log.begin('n3')), 'agentBusyMoving', /being placed/],
    [
      'one of an agent that is being placed',
      (log: Log) => (log.place(['n2', 'n1']), log.begin('n4')),
      'agentBusyMoving',
      /./,
    ],
    ['one to where it is', (log: Log) => log.begin('n1'), 'commandInvalid', /there already/],
    ['one to a node that is dead', (log: Log) => log.begin('n9'), 'nodeNotEligible', /not alive/],
    ['one to another start of a node', (log: Log) => log.begin('n4', log.epoch, 2), 'nodeNotEligible', /not alive/],
    [
      'one to a node that drains',
      (log: Log) => {
        log.apply({ kind: 'drainBegin', node: 'n4', boot: undefined, deadlineMs: undefined });
        return log.begin('n4');
      },
      'nodeNotEligible',
      /draining/,
    ],
    ['one decided before another placement', (log: Log) => log.begin('n4', 1), 'agentBusyMoving', /./],
  ])('%s is void', (_what, act, code, reason) => {
    expect(act(new Log())).toMatchObject(refused(code, reason));
  });

  test('a node takes no more moves than agents', () => {
    const log = new Log(1);
    expect(log.begin('n4')).toMatchObject({ ok: true });
    log.apply({
      ...{ kind: 'agentsCreate', request: undefined, agentType: 't', source: 's', name: 'b', base: 'b', count: 1 },
      ...{ strategy: 'least_loaded', capabilities: [], holders: 1 },
    });
    const placed = { agent: 'b', after: 0, host: 'n2', boot: 1, holders: ['n2'], reason: '', decision };
    log.apply({ kind: 'agentPlace', ...placed });
    const after = log.index;
    log.apply({ kind: 'agentActive', agent: 'b', epoch: after });
    const second = log.apply({ kind: 'migrationBegin', agent: 'b', after, target: 'n4', boot: 1, reason: '' });
    expect(second).toMatchObject(refused('nodeNotEligible', /full/));
  });

  test('cancelling ends it before the switch, and is refused without one and after it', () => {
    const log = new Log();
    const cancel = () => log.apply({ kind: 'migrationCancel', agent: 'a' });
    expect(cancel()).toMatchObject(refused('migrationUnknown', /not on its way/));
    log.begin('n4');
    const { since } = log;
    expect(cancel()).toMatchObject({ ok: true, kind: 'migrationCancelled' });
    expect(log.agent).toMatchObject({ placement: { host: 'n1' }, migrationEnd: { since, cancelled: true } });
    expect(log.place(['n4', 'n1', 'n2'], log.epoch, since)).toMatchObject({ ok: false });
    log.begin('n4');
    log.place(['n4', 'n1', 'n2'], log.epoch, log.since);
    expect(cancel()).toMatchObject(refused('migrationSwitched', /"n4"/));
  });

  test('the switch names its migration, and goes to its target', () => {
    const log = new Log();
    log.begin('n4');
    expect(log.place(['n3', 'n1', 'n2'], log.epoch, log.since)).toMatchObject(
      refused('commandInvalid', /another target/),
    );
    expect(log.place(['n4', 'n1', 'n2'], log.epoch, log.since + 1)).toMatchObject(refused('commandInvalid', /is over/));
  });

  test('other holders leave it as it is, and another host ends it', () => {
    const log = new Log();
    log.begin('n4');
    const { since } = log;
    log.place(['n1', 'n2']);
    expect(log.since).toBe(since);
    log.place(['n2', 'n1']);
    expect(log.agent).toMatchObject({ migration: undefined, migrationEnd: { since, cancelled: false } });
  });

  test('a snapshot keeps it, byte for byte', () => {
    const log = new Log();
    log.begin('n4');
    log.apply({ kind: 'migrationPrepared', agent: 'a', since: log.since, bytes: 3 });
    const copy = new ClusterState();
    loadState(copy, encodeState(log.state));
    for (const state of [log.state, copy]) {
      const placed = { agent: 'a', after: log.epoch, host: 'n4', boot: 1, holders: ['n4', 'n1'], reason: '', decision };
      apply(state, { kind: 'agentPlace', ...placed, migration: log.since, atMs: 8 }, 50);
    }
    expect(encodeState(copy)).toEqual(encodeState(log.state));
    expect(copy.agents.get('a')?.migration).toMatchObject({ preparedBytes: 3, epoch: 50 });
  });
});
