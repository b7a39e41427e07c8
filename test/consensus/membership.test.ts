import { describe, expect, it } from 'vitest';
import { decodeConfiguration, encodeConfiguration, membersMax } from '../../consensus/configuration.ts';
import { entryKinds } from '../../consensus/raft.ts';
import { Cluster } from './cluster.ts';
import { append, elect, logOf, settle, single, success } from './single.ts';

const abc = ['a', 'b', 'c'];

describe('a change of members', () => {
  it('is refused by a leader that has committed nothing in its term: the flaw of 2015 stays closed', () => {
    const raft = single('a', logOf(abc, []));
    const began = elect(raft, ['b']);
    const next = { voters: ['a', 'b'], learners: [] };
    expect(raft.changeConfiguration(next, 1250)).toEqual({ ok: false, reason: 'notReady' });
    raft.receive('b', success(began, 'b', 2), 1250);
    expect(raft.changeConfiguration(next, 1250).ok).toBe(true);
  });

  it('is refused while another is not committed, and when it reaches too far', () => {
    const raft = single('a', logOf(abc, []));
    raft.receive('b', success(elect(raft, ['b']), 'b', 2), raft.deadlineMs() - 1);
    for (const voters of [['a'], ['a', 'b', 'x'], ['a', 'b', 'c', 'x', 'y'], [], ['a', 'b', 'c', 'c']]) {
      expect(raft.changeConfiguration({ voters, learners: [] }, 1250)).toEqual({ ok: false, reason: 'tooFar' });
    }
    expect(raft.changeConfiguration({ voters: abc, learners: ['a'] }, 1250)).toEqual({ ok: false, reason: 'tooFar' });
    expect(raft.changeConfiguration({ voters: [...abc, 'd'], learners: ['x', 'y'] }, 1250).ok).toBe(true);
    const again = raft.changeConfiguration({ voters: abc, learners: [] }, 1250);
    expect(again).toEqual({ ok: false, reason: 'pending' });
  });

  it('counts from the moment it is in the log, and no longer when it is cut off', () => {
    const log = logOf(abc, []);
    const raft = single('a', log, 2);
    const change = {
      index: 2,
      term: 2,
      kind: entryKinds.configuration,
      data: encodeConfiguration({ voters: ['a', 'b', 'c', 'd'], learners: [] }),
    };
    raft.receive('b', append(2, log[0], [change]), 1);
    expect(raft.configuration().voters).toEqual(['a', 'b', 'c', 'd']);
    raft.receive('c', append(3, log[0], [{ ...change, term: 3, kind: entryKinds.noop }]), 2);
    expect(raft.configuration().voters).toEqual(abc);
  });

  it('brings a newcomer in as a learner, then as a voter', () => {
    const cluster = new Cluster(1, abc);
    const leader = cluster.leader();
    for (let i = 0; i < 30; i += 1) cluster.commit(`${i}`, leader);
    cluster.add('x');
    expect(cluster.change({ voters: abc, learners: ['x'] }).ok).toBe(true);
    cluster.commit('with a learner', leader, [...abc, 'x']);
    expect(cluster.node('x').deadlineMs()).toBe(Number.POSITIVE_INFINITY);
    expect(cluster.change({ voters: [...abc, 'x'], learners: [] }).ok).toBe(true);
    cluster.commit('with a voter', leader, [...abc, 'x']);
    expect(cluster.node('x').configuration().voters).toContain('x');
  });

  it('that adds a first second voter gives it time to answer', () => {
    const cluster = new Cluster(2, ['a']);
    const leader = cluster.leader();
    cluster.add('b');
    expect(cluster.change({ voters: ['a', 'b'], learners: [] }).ok).toBe(true);
    cluster.commit('by two', leader, ['a', 'b']);
    expect(cluster.node('a').progress().get('b')?.state).toBe('replicate');
  });
});

describe('a learner', () => {
  it('never counts, neither for what is committed nor for who is heard', () => {
    const cluster = new Cluster(3, abc);
    const leader = cluster.leader();
    for (const id of ['x', 'y', 'z']) cluster.add(id);
    cluster.change({ voters: abc, learners: ['x', 'y', 'z'] });
    cluster.commit('before', leader, ['x', 'y', 'z']);
    for (const id of abc) if (id !== leader) cluster.crash(id);
    const proposed = cluster.on(leader, (raft, now) => raft.propose(Buffer.from('alone'), now));
    const index = proposed.ok ? proposed.index : 0;
    expect(cluster.until(() => cluster.stored('x').length >= index, 1_000)).toBe(true);
    cluster.run(1_300);
    expect(cluster.node(leader).commitIndex).toBeLessThan(index);
    expect(cluster.node(leader).role).not.toBe('leader');
  });
});

describe('a leader that is removed', () => {
  it('does not count itself, goes on until its removal is committed, and then steps down', () => {
    const raft = single('a', logOf(abc, []));
    const began = elect(raft, ['b']);
    raft.receive('b', success(began, 'b', 2), 1250);
    raft.receive('c', success(began, 'c', 2), 1250);
    expect(raft.changeConfiguration({ voters: ['b', 'c'], learners: [] }, 1250).ok).toBe(true);
    const output = settle(raft);
    raft.receive('b', success(output, 'b', 3), 1251);
    expect([raft.role, raft.commitIndex]).toEqual(['leader', 2]);
    raft.receive('c', success(output, 'c', 3), 1252);
    expect([raft.role, raft.commitIndex]).toEqual(['follower', 3]);
    const told = raft.takeOutput().early.filter(({ message }) => message.type === 'transferLeadership');
    expect(told.length).toBe(1);
    expect(raft.deadlineMs()).toBe(Number.POSITIVE_INFINITY);
  });

  it('is followed by another at once', () => {
    const cluster = new Cluster(4, abc);
    const old = cluster.leader();
    const rest = abc.filter((id) => id !== old);
    cluster.change({ voters: rest, learners: [] });
    cluster.until(() => cluster.node(old).role !== 'leader');
    const beganMs = cluster.nowMs;
    expect(rest).toContain(cluster.leader());
    expect(cluster.nowMs - beganMs).toBeLessThan(50);
    cluster.commit('after', cluster.leader(), rest);
  });
});

describe('a configuration', () => {
  it('is the same bytes whatever the order, and is read back', () => {
    const bytes = encodeConfiguration({ voters: ['b', 'a'], learners: ['d', 'c'] });
    expect(bytes).toEqual(encodeConfiguration({ voters: ['a', 'b'], learners: ['c', 'd'] }));
    expect(decodeConfiguration(bytes)).toEqual({ voters: ['a', 'b'], learners: ['c', 'd'] });
  });

  it.each([
    'nonsense',
    '[]',
    'null',
    '{"voters":["a"]}',
    '{"voters":[],"learners":["a"]}',
    '{"voters":["a"],"learners":["a"]}',
    '{"voters":["a","a"],"learners":[]}',
    '{"voters":[1],"learners":[]}',
    '{"voters":[""],"learners":[]}',
    JSON.stringify({ voters: ['a'], learners: Array.from({ length: membersMax }, (_, i) => `l${i}`) }),
  ])('that could not run a cluster is refused: %.40s', (text) => {
    expect(decodeConfiguration(Buffer.from(text))).toBeUndefined();
  });
});

describe('a leader that has proposed its own removal, and nobody else has heard of it', () => {
  it('stands again while that is not committed: it may be the only one that a majority would follow', () => {
    const cluster = new Cluster(1, ['a', 'b', 'c', 'd']);
    const leader = cluster.leader();
    const [near, far, lost] = ['a', 'b', 'c', 'd'].filter((id) => id !== leader) as [string, string, string];
    cluster.crash(lost);
    cluster.partition([leader], [near, far]);
    cluster.change({ voters: [near, far, lost], learners: [leader] }, leader);
    cluster.run(5);
    cluster.crash(leader);
    cluster.start(leader);
    cluster.heal();
    const next = cluster.leader(20_000);
    cluster.commit('goes on', next, [near, far]);
    expect(cluster.node(next).configuration().voters).not.toContain(leader);
  });
});
