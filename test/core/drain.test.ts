import { describe, expect, test } from 'vitest';
import { apply } from '../../node/core/apply.ts';
import { ClusterState } from '../../node/core/cluster-state.ts';
import type { Draft } from '../../node/core/command.ts';
import { drainsProgress } from '../../node/core/drain-progress.ts';
import type { LoadBoard } from '../../node/core/load-board.ts';
import { chooseHolders, drainingKept, holdsUpDrain } from '../../node/core/placement.ts';
import { majorityOf } from '../../node/core/replication.ts';
import { encodeState, loadState } from '../../node/core/state-snapshot.ts';

const loads = { of: () => undefined } as unknown as LoadBoard;
const decision = { strategy: 'least_loaded', node: undefined, ranked: [], rejected: [] };

/** A log of its own: applies drafts one after the other. */
class Log {
  readonly state = new ClusterState();
  #index = 0;

  constructor(nodes: number) {
    for (let n = 1; n <= nodes; n++) this.join(`n${n}`);
  }

  apply(draft: Draft) {
    this.#index += 1;
    this.state.index = this.#index;
    return apply(this.state, { ...draft, atMs: 0 }, this.#index);
  }

  join(node: string, boot = 1) {
    const profile = { name: node, addresses: [], site: 'a', capabilities: [], admin: '', agentsMax: 10 };
    return this.apply({ kind: 'memberJoin', node, boot, start: `${node}-${boot}`, profile });
  }

  drain(node: string, boot?: number) {
    return this.apply({ kind: 'drainBegin', node, boot, deadlineMs: undefined });
  }

  deploy(agent: string, holders: string[]): void {
    this.apply({
      ...{ kind: 'agentsCreate', request: undefined, agentType: 't', source: 's', name: agent, base: agent, count: 1 },
      ...{ strategy: 'least_loaded', capabilities: [], holders: holders.length },
    });
    if (!this.place(agent, holders).ok) throw new Error(`${agent} is not placed`);
    this.apply({ kind: 'agentActive', agent, epoch: this.#index });
  }

  /** Placed, and not answering there. */
  begin(agent: string, holders: string[]): void {
    this.apply({
      ...{ kind: 'agentsCreate', request: undefined, agentType: 't', source: 's', name: agent, base: agent, count: 1 },
      ...{ strategy: 'least_loaded', capabilities: [], holders: holders.length },
    });
    if (!this.place(agent, holders).ok) throw new Error(`${agent} is not placed`);
  }

  fail(agent: string): void {
    const epoch = this.state.agents.get(agent)?.placement?.epoch ?? 0;
    const what = { failures: 3, earlier: 2, reason: 'no code', retryInMs: 500 };
    if (!this.apply({ kind: 'agentCrashLooping', agent, epoch, ...what }).ok) throw new Error('it is not placed');
  }

  place(agent: string, holders: string[], boot = 1) {
    const [host = ''] = holders;
    const after = this.state.agents.get(agent)?.placement?.epoch ?? 0;
    return this.apply({ kind: 'agentPlace', agent, after, host, boot, holders, reason: 'why', decision });
  }

  progress(node: string, voters = ['n1', 'n2', 'n3']) {
    return drainsProgress(this.state, loads, { leader: 'n1', voters }, [node]).get(node);
  }
}

describe('at its place in the log', () => {
  test('a placement on a node that drains is void, and so is a new holder there', () => {
    const log = new Log(4);
    log.deploy('a', ['n1', 'n2', 'n3']);
    log.drain('n4');
    expect(log.place('a', ['n4', 'n1', 'n2'])).toMatchObject({ ok: false, error: { message: /host is draining/ } });
    expect(log.place('a', ['n1', 'n2', 'n4'])).toMatchObject({
      ok: false,
      error: { message: /new holder is draining/ },
    });
    log.apply({ kind: 'drainUndo', node: 'n4' });
    expect(log.place('a', ['n4', 'n1', 'n2'])).toMatchObject({ ok: true });
  });

  test('an agent may stay, with its state, where it is; but not begin on another start of that node', () => {
    const log = new Log(3);
    log.deploy('a', ['n1', 'n2', 'n3']);
    log.drain('n1');
    log.drain('n3');
    expect(log.place('a', ['n1', 'n2', 'n3'])).toMatchObject({ ok: true });
    log.apply({ kind: 'memberDead', node: 'n1', boot: 1, accusers: ['n2'] });
    log.join('n1', 2);
    expect(log.place('a', ['n1', 'n2', 'n3'], 2)).toMatchObject({ ok: false, error: { message: /host is draining/ } });
  });

  test('a drain is not called done while an agent is there, nor another one than was meant', () => {
    const log = new Log(3);
    log.deploy('a', ['n1', 'n2', 'n3']);
    log.drain('n1');
    const since = log.state.members.get('n1')?.drain?.since ?? 0;
    expect(log.apply({ kind: 'drainDone', node: 'n1', since, kept: [] })).toMatchObject({ ok: false });
    log.place('a', ['n2', 'n3']);
    // Not answering there yet: the old host may still be needed.
    expect(log.apply({ kind: 'drainDone', node: 'n1', since, kept: [] })).toMatchObject({ ok: false });
    log.apply({ kind: 'agentActive', agent: 'a', epoch: log.state.agents.get('a')?.placement?.epoch ?? 0 });
    expect(log.apply({ kind: 'drainDone', node: 'n1', since: since - 1, kept: [] })).toMatchObject({ ok: false });
    expect(log.apply({ kind: 'drainDone', node: 'n1', since, kept: [] })).toMatchObject({ ok: true });
  });

  test('only who is to stop leaves, and what an operator drains is drained at its next start, too', () => {
    const log = new Log(3);
    expect(log.apply({ kind: 'memberLeft', node: 'n2', boot: 1 })).toMatchObject({ ok: false });
    expect(log.drain('n2', 7)).toMatchObject({ ok: false });
    expect(log.drain('n2', 1)).toMatchObject({ ok: true });
    log.drain('n3');
    log.drain('n3', 1);
    for (const node of ['n2', 'n3']) {
      expect(log.apply({ kind: 'memberLeft', node, boot: 1 })).toMatchObject({ ok: true });
      log.join(node, 2);
    }
    expect(log.state.isDraining('n2')).toBe(false);
    expect(log.state.members.get('n3')?.drain).toMatchObject({ asked: true, stopping: false, done: false });
  });

  test('nothing is drained that is no member, and nothing is undone twice; a snapshot carries it', () => {
    const log = new Log(2);
    expect(log.drain('n9')).toMatchObject({ ok: false, error: { code: 'nodeUnknown' } });
    expect(log.apply({ kind: 'drainUndo', node: 'n1' })).toMatchObject({ ok: false });
    log.drain('n1');
    const copy = new ClusterState();
    loadState(copy, encodeState(log.state));
    expect(copy.members.get('n1')?.drain).toMatchObject({ asked: true });
    expect(encodeState(copy)).toEqual(encodeState(log.state));
  });
});

describe('an agent that does not run', () => {
  test('holds up no drain when it never ran and no other node can take the place of the one that drains', () => {
    const log = new Log(3);
    log.begin('bad', ['n1', 'n2', 'n3']);
    log.drain('n2');
    expect(log.progress('n2', ['n1'])).toMatchObject({ states: 0, waitsFor: [], kept: [] });
    // Two are needed for a majority of what it is to have.
    log.drain('n3');
    expect(log.progress('n2', ['n1'])?.waitsFor).toEqual(['the state of bad: others are to keep it']);
  });

  test('is given other holders first where there are any, without its turn', () => {
    const log = new Log(4);
    log.begin('bad', ['n1', 'n2', 'n3']);
    const agent = () =>
      log.state.agents.get('bad') ?? { id: '', type: '', strategy: '', capabilities: [], holdersWanted: 3 };
    expect(holdsUpDrain(log.state, agent(), new Map())).toBe(false);
    log.drain('n2');
    expect(log.progress('n2', ['n1'])).toMatchObject({ states: 1 });
    expect(holdsUpDrain(log.state, agent(), new Map())).toBe(true);
    log.place('bad', ['n1', 'n3', 'n4']);
    expect(log.progress('n2', ['n1'])).toMatchObject({ states: 0, waitsFor: [] });
    expect(holdsUpDrain(log.state, agent(), new Map())).toBe(false);
    log.drain('n1');
    expect(holdsUpDrain(log.state, agent(), new Map())).toBe(true);
  });

  test('keeps what it acknowledged before on a majority that stays, and is waited for while there is none', () => {
    const log = new Log(5);
    log.deploy('a', ['n2', 'n1', 'n3']);
    log.place('a', ['n1', 'n3', 'n4']);
    log.drain('n2');
    const since = log.state.members.get('n2')?.drain?.since ?? 0;
    // Its recovery is under way.
    expect(log.progress('n2', ['n1'])?.waitsFor).toEqual(['agents on their way from it: a']);
    expect(log.apply({ kind: 'drainDone', node: 'n2', since, kept: [] }).ok).toBe(false);
    log.fail('a');
    expect(log.progress('n2', ['n1'])).toMatchObject({ agents: 0, states: 0, waitsFor: [] });
    log.apply({ kind: 'memberDead', node: 'n3', boot: 1, accusers: ['n1'] });
    expect(log.progress('n2', ['n1'])?.waitsFor.join()).toMatch(/the state of a: they fail again and again/);
    log.join('n3', 2);
    expect(log.apply({ kind: 'drainDone', node: 'n2', since, kept: [] }).ok).toBe(true);
  });

  test('says for which task a move waits', () => {
    const log = new Log(3);
    log.deploy('a', ['n2', 'n1', 'n3']);
    log.drain('n2');
    const after = log.state.agents.get('a')?.placement?.epoch ?? 0;
    log.apply({ kind: 'migrationBegin', agent: 'a', after, target: 'n1', boot: 1, reason: 'why' });
    const progress = drainsProgress(log.state, loads, { leader: 'n1', voters: ['n1'] }, ['n2'], () => 'long-1');
    expect(progress.get('n2')?.waitsFor).toEqual(['agent a: it waits for task "long-1" to end']);
  });
});

describe('holders that drain', () => {
  test('stay only where the others are a majority without them, and never make a state less safe', () => {
    for (let rest = 1; rest <= 5; rest++) {
      for (let there = 0; there <= 5; there++) {
        for (let wanted = 1; wanted <= 5; wanted++) {
          const kept = drainingKept(rest, there, wanted);
          expect(kept).toBeLessThanOrEqual(there);
          expect(rest + kept).toBeLessThanOrEqual(Math.max(rest, wanted));
          if (rest >= 2) expect(rest).toBeGreaterThanOrEqual(majorityOf(rest + kept));
          if (kept > 0) expect((rest + kept) % 2).toBe(1);
        }
      }
    }
    // One copy is none to rely on.
    expect(drainingKept(1, 2, 3)).toBe(2);
    expect(drainingKept(1, 1, 3)).toBe(0);
    expect(drainingKept(2, 1, 3)).toBe(1);
  });

  test('give way to any other node, and are chosen anew by nothing', () => {
    const log = new Log(5);
    log.deploy('a', ['n1', 'n2', 'n3']);
    log.drain('n3');
    log.drain('n5');
    const agent = log.state.agents.get('a');
    if (agent === undefined) throw new Error('no agent');
    expect(chooseHolders(log.state, agent, 'n1', new Map())).toEqual(['n1', 'n2', 'n4']);
    log.apply({ kind: 'memberDead', node: 'n4', boot: 1, accusers: ['n1'] });
    expect(chooseHolders(log.state, agent, 'n1', new Map())).toEqual(['n1', 'n2', 'n3']);
  });
});

describe('a drain waits', () => {
  test('for what another can take, and says what it keeps because none can', () => {
    const log = new Log(3);
    log.deploy('a', ['n2', 'n1', 'n3']);
    log.drain('n3');
    expect(log.progress('n3')).toMatchObject({ agents: 0, states: 0, waitsFor: [] });
    expect(log.progress('n3')?.kept.join()).toMatch(/the state of 1 agents.*its vote/);
    log.join('n4');
    const { waitsFor = [], states } = log.progress('n3') ?? {};
    expect([states, waitsFor.join()]).toEqual([1, expect.stringMatching(/the state of a: .*its vote: another node/)]);
  });

  test('where the others would be no majority: for votes and for states', () => {
    const log = new Log(3);
    log.deploy('a', ['n1', 'n2', 'n3']);
    log.drain('n2');
    log.drain('n3');
    expect(log.progress('n3')?.waitsFor.join()).toMatch(
      /the state of a.*its vote: only 1 other voters stay, and 2 are/,
    );
    expect(log.progress('n2', ['n1', 'n2'])?.waitsFor.join()).toMatch(/only 1 other voters stay/);
  });
});
