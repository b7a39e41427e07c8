import { describe, expect, test } from 'vitest';
import { apply } from '../../node/core/apply.ts';
import {
  agentOfKey,
  type BranchEntry,
  branchKey,
  closedNumber,
  drawBranch,
  isBranchKey,
  numberAfter,
  whyNoAncestor,
} from '../../node/core/branch.ts';
import { ClusterState } from '../../node/core/cluster-state.ts';
import type { Draft } from '../../node/core/command.ts';
import { idPattern } from '../../node/core/operation-check.ts';
import { limits } from '../../node/core/settings.ts';
import { encodeState, loadState } from '../../node/core/state-snapshot.ts';

const decision = { strategy: 'least_loaded', node: undefined, ranked: [], rejected: [] };

/** A log in which the autonomous agent `a` answers on n1 in its first epoch. */
class Log {
  readonly state = new ClusterState();
  index = 0;
  epoch = 0;

  constructor(partition: 'fenced' | 'autonomous' = 'autonomous') {
    for (const node of ['n1', 'n2', 'n3']) {
      const profile = { name: node, addresses: [], site: 'a', capabilities: [], admin: '', agentsMax: 9 };
      this.apply({ kind: 'memberJoin', node, boot: 1, start: `${node}-1`, profile });
    }
    this.apply({
      ...{ kind: 'agentsCreate', request: undefined, agentType: 't', source: 's', name: 'a', base: 'a', count: 1 },
      ...{ strategy: 'least_loaded', capabilities: [], holders: 3, partition },
    });
  }

  apply(draft: Draft) {
    this.index += 1;
    this.state.index = this.index;
    return apply(this.state, { ...draft, atMs: 7 }, this.index);
  }

  /** The next epoch, which goes on from a step. */
  go(from?: { epoch: number; sequence: number }): number {
    const holders = ['n1', 'n2', 'n3'];
    const placed = { kind: 'agentPlace' as const, agent: 'a', host: 'n1', boot: 1, holders, reason: 'why', decision };
    const isPlaced = this.apply({ ...placed, after: this.epoch }).ok;
    this.epoch = this.index;
    const isActive = this.apply({ kind: 'agentActive', agent: 'a', epoch: this.epoch, ...(from && { from }) }).ok;
    if (!isPlaced || !isActive) throw new Error('the log refused an epoch');
    return this.epoch;
  }

  get agent() {
    return this.state.agents.get('a');
  }

  find(id: string, number = 1, keeper = 'n2', more: Partial<BranchEntry> = {}) {
    const base = { epoch: 5, sequence: 3, checksum: 1 };
    const branch = { id, number, base, sequence: 5, host: 'n2', sinceMs: 1, untilMs: 2, tasks: 2, ...more };
    return this.apply({ kind: 'branchFound', agent: 'a', created: this.agent?.created ?? 0, keeper, branch });
  }

  end(branch: string, outcome: 'merged' | 'forked', number = 1) {
    return this.apply({ kind: 'branchEnd', agent: 'a', branch, number, outcome, reason: 'why', steps: 4 });
  }
}

describe('numbers and names', () => {
  test('a number is above the one before, below what closes, and hardly drawn twice', () => {
    let number = 0;
    for (let i = 0; i < 100; i++) {
      const next = numberAfter(number, () => 0.999_999);
      expect(next).toBeGreaterThan(number);
      number = next;
    }
    expect(number).toBeLessThan(closedNumber);
    expect(numberAfter(7, () => 0.25)).not.toBe(numberAfter(7, () => 0.75));
  });

  test('a key names a branch and its agent, and is no name that an agent can have', () => {
    const id = drawBranch(() => 0.5);
    expect(id).toMatch(idPattern);
    const key = branchKey('a.b-1', id);
    expect([isBranchKey(key), agentOfKey(key), isBranchKey('a.b-1'), agentOfKey('a.b-1')]).toEqual([
      ...[true, 'a.b-1', false, 'a.b-1'],
    ]);
    expect(key).not.toMatch(idPattern);
  });
});

describe('whether the majority passed through a step', () => {
  const lineage = [
    { epoch: 10 },
    { epoch: 20, from: { epoch: 10, sequence: 7 } },
    { epoch: 30, from: { epoch: 20, sequence: 9 } },
  ];

  test('is so up to where the next epoch went on from it', () => {
    expect(whyNoAncestor(lineage, { epoch: 10, sequence: 7 }, 12)).toBeUndefined();
    expect(whyNoAncestor(lineage, { epoch: 10, sequence: 8 }, 12)).toMatch(/left epoch 10 at step 7, before step 8/);
    expect(whyNoAncestor(lineage, { epoch: 20, sequence: 9 }, 12)).toBeUndefined();
    expect(whyNoAncestor(lineage, { epoch: 20, sequence: 10 }, 12)).toMatch(/left epoch 20/);
  });

  test('is so in the present epoch up to where that is', () => {
    expect(whyNoAncestor(lineage, { epoch: 30, sequence: 12 }, 12)).toBeUndefined();
    expect(whyNoAncestor(lineage, { epoch: 30, sequence: 13 }, 12)).toMatch(/no step 13/);
  });

  test('is so of an epoch that never became active, for the step that it began with', () => {
    expect(whyNoAncestor(lineage, { epoch: 15, sequence: 7 }, 12)).toBeUndefined();
    expect(whyNoAncestor(lineage, { epoch: 25, sequence: 10 }, 12)).toMatch(/left epoch 25/);
  });

  test('is not known of what is no longer remembered, or never was', () => {
    expect(whyNoAncestor(lineage, { epoch: 5, sequence: 1 }, 12)).toMatch(/not remembered/);
    expect(whyNoAncestor(lineage.slice(1), { epoch: 5, sequence: 1 }, 12)).toMatch(/not remembered/);
    expect(whyNoAncestor(lineage.slice(1), { epoch: 10, sequence: 7 }, 12)).toBeUndefined();
    expect(whyNoAncestor([{ epoch: 10 }, { epoch: 20 }], { epoch: 10, sequence: 1 }, 12)).toMatch(/not remembered/);
  });
});

describe('the log', () => {
  test('remembers of an autonomous agent from where its latest epochs went on, and of a fenced one nothing', () => {
    const log = new Log();
    const first = log.go();
    const second = log.go({ epoch: first, sequence: 4 });
    expect(log.agent?.lineage).toEqual([{ epoch: first }, { epoch: second, from: { epoch: first, sequence: 4 } }]);
    for (let i = 0; i < limits.lineageMax; i++) log.go({ epoch: log.epoch, sequence: i });
    expect(log.agent?.lineage).toHaveLength(limits.lineageMax);
    const fenced = new Log('fenced');
    fenced.go();
    expect([fenced.agent?.lineage, fenced.agent?.partition]).toEqual([undefined, undefined]);
  });

  test('takes up what several keepers tell of one branch as one, with the newest step', () => {
    const log = new Log();
    expect(log.find('b1').ok).toBe(true);
    expect(log.find('b1')).toMatchObject({ ok: false });
    expect(log.find('b1', 1, 'n3', { sequence: 6, tasks: 3 }).ok).toBe(true);
    expect(log.agent?.branches).toMatchObject([{ id: 'b1', sequence: 6, tasks: 3, keepers: ['n2', 'n3'] }]);
    expect(log.find('b1', 1, 'n1', { sequence: 4 }).ok).toBe(true);
    expect(log.agent?.branches).toMatchObject([{ sequence: 6, keepers: ['n2', 'n3', 'n1'] }]);
  });

  test('ends a branch once, and knows that it has', () => {
    const log = new Log();
    log.find('b1');
    expect(log.end('b2', 'merged').ok).toBe(false);
    expect(log.end('b1', 'merged').ok).toBe(true);
    expect(log.end('b1', 'forked').ok).toBe(false);
    expect(log.find('b1', 1, 'n3').ok).toBe(false);
    expect(log.agent?.branches?.[0]?.end).toMatchObject({ outcome: 'merged', steps: 4 });
  });

  test('has room for so many open branches and forks, and no limit is passed by those that ended', () => {
    const log = new Log();
    for (let i = 0; i < limits.branchesMax; i++) expect(log.find(`b${i}`).ok).toBe(true);
    expect(log.find('one-more')).toMatchObject({ ok: false });
    for (let i = 0; i < limits.branchesMax; i++) log.end(`b${i}`, i === 0 ? 'forked' : 'merged');
    for (let i = 0; i < 2 * limits.branchesEndedMax; i++) {
      expect(log.find(`c${i}`).ok).toBe(true);
      log.end(`c${i}`, 'merged');
    }
    expect(log.agent?.branches).toHaveLength(1 + limits.branchesEndedMax);
    expect(log.agent?.branches?.[0]).toMatchObject({ id: 'b0', end: { outcome: 'forked' } });
  });

  test('lets an operator delete a fork, or one that nobody has any more, and nothing that ended otherwise', () => {
    const log = new Log();
    log.find('b1');
    log.find('b2');
    log.find('b3');
    log.end('b1', 'forked');
    log.end('b2', 'merged');
    const gone = (branch: string) => log.apply({ kind: 'forkDelete', agent: 'a', branch, number: 1 });
    expect(gone('b2')).toMatchObject({ ok: false, error: { code: 'forkUnknown' } });
    expect(gone('b1').ok).toBe(true);
    expect(gone('b1').ok).toBe(false);
    expect(gone('b3').ok).toBe(true);
  });

  test('does not take up the branch of an agent of that name that was deleted', () => {
    const log = new Log();
    const branch = { id: 'b', number: 1, base: { epoch: 1, sequence: 1, checksum: 1 }, sequence: 2, host: 'n1' };
    const found = { ...branch, sinceMs: 1, untilMs: 2, tasks: 1 };
    expect(log.apply({ kind: 'branchFound', agent: 'a', created: 1, keeper: 'n1', branch: found }).ok).toBe(false);
  });

  test('has all of it in a snapshot', () => {
    const log = new Log();
    log.go({ epoch: 1, sequence: 2 });
    log.find('b1');
    log.end('b1', 'forked');
    const loaded = new ClusterState();
    loadState(loaded, encodeState(log.state));
    expect(loaded.agents.get('a')).toEqual(log.agent);
    expect(encodeState(loaded)).toEqual(encodeState(log.state));
  });
});
