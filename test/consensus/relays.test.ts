import { describe, expect, it, test } from 'vitest';
import { encodeConfiguration } from '../../consensus/configuration.ts';
import { entryKinds, type RaftMessage } from '../../consensus/raft.ts';
import { directLearners } from '../../consensus/relays.ts';
import { Cluster } from './cluster.ts';
import { append, logOf, saidTo, settle, single, success } from './single.ts';

const voters = ['v1', 'v2', 'v3', 'v4', 'v5'];
const named = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `x${String(i + 1).padStart(3, '0')}`);

/** Five voters and so many learners, all of which have everything. */
function large(seed: number, count: number): { cluster: Cluster; learners: string[]; leader: string } {
  const cluster = new Cluster(seed, voters);
  const learners = named(count);
  const leader = cluster.leader();
  for (const id of learners) cluster.add(id);
  expect(cluster.change({ voters, learners }, leader).ok).toBe(true);
  cluster.commit('begin', leader, learners);
  // A few heartbeats, and most of them are handed to others.
  cluster.run(1_000);
  cluster.takeSent();
  return { cluster, learners, leader };
}

describe('200 learners behind 5 voters', () => {
  it('get entries through others, and the leader speaks to a few', () => {
    const { cluster, learners, leader } = large(1, 200);
    cluster.commit('an entry for all', leader, learners);
    const carriers = cluster
      .takeSent()
      .filter(({ message }) => message.type === 'appendRequest' && message.body.entries.length > 0);
    const fromLeader = new Set(carriers.filter(({ from }) => from === leader).map(({ to }) => to));
    expect(fromLeader.size).toBeLessThanOrEqual(voters.length - 1 + directLearners(200, 16));
    const relays = new Set(carriers.filter(({ from }) => from !== leader).map(({ from }) => from));
    expect(relays.size).toBeGreaterThanOrEqual(10);
    for (const relay of relays) {
      const served = new Set(carriers.filter(({ from }) => from === relay).map(({ to }) => to));
      expect(served.size).toBeLessThanOrEqual(directLearners(200, 16));
    }
    const rounds = carriers.filter(({ to }) => learners.includes(to)).length;
    expect(rounds).toBeLessThan(2 * learners.length);
  });

  it('are not all served by the leader when the first of them are down', () => {
    const { cluster, learners, leader } = large(3, 200);
    for (const id of learners.slice(0, 16)) cluster.crash(id);
    cluster.run(3_000);
    cluster.takeSent();
    cluster.commit('an entry for the others', leader, learners.slice(16));
    const carriers = cluster
      .takeSent()
      .filter(
        ({ from, message }) => from === leader && message.type === 'appendRequest' && message.body.entries.length > 0,
      );
    expect(new Set(carriers.map(({ to }) => to)).size).toBeLessThanOrEqual(
      voters.length - 1 + directLearners(200, 16) + 16,
    );
  });

  it('all know whether the leader is there, and the leader whether they are', () => {
    const { cluster, learners, leader } = large(2, 200);
    cluster.run(1_000);
    for (const id of learners) expect(cluster.node(id).hearsQuorum(cluster.nowMs), id).toBe(true);
    const { nowMs } = cluster;
    for (const [id, { lastAckMs, matchIndex }] of cluster.node(leader).progress()) {
      expect(nowMs - lastAckMs, id).toBeLessThan(200);
      expect(matchIndex, id).toBe(cluster.node(leader).lastIndex);
    }
    // A small part of what it would be if the leader told everybody.
    cluster.takeSent();
    cluster.run(1_000);
    const said = cluster.takeSent().filter(({ from }) => from === leader).length;
    expect(said).toBeLessThan(20 * 50);
    cluster.crash(leader);
    cluster.run(100);
    for (const id of learners) expect(cluster.node(id).leader).not.toBe('');
    cluster.run(1_500);
    const next = cluster.leader();
    expect(next).not.toBe(leader);
    cluster.commit('the next leader reaches them as well', next, learners);
  });

  it('are served by others when a relay dies', () => {
    const { cluster, learners, leader } = large(3, 60);
    const [relay] = cluster.node(leader).configuration().learners as [string];
    cluster.crash(relay);
    cluster.commit(
      'goes around it',
      leader,
      learners.filter((id) => id !== relay),
    );
    cluster.run(1_000);
    cluster.start(relay);
    cluster.commit('and it is back', leader, learners);
  });

  it('are served by others when a relay cannot reach them', () => {
    const { cluster, learners, leader } = large(4, 60);
    const [relay] = cluster.node(leader).configuration().learners as [string];
    for (const id of learners) cluster.cut(relay, id);
    cluster.commit('goes around it', leader, learners);
  });

  it('learn of each other leader and each commit though all are behind relays that restart', () => {
    const { cluster, learners, leader } = large(5, 40);
    for (let turn = 0; turn < 6; turn += 1) {
      const victim = learners[turn * 3] as string;
      cluster.crash(victim);
      cluster.commit(`without ${victim}`, cluster.leader());
      if (turn === 3) cluster.on(leader, (raft, now) => raft.transferLeadership('v1' === leader ? 'v2' : 'v1', now));
      cluster.run(200);
      cluster.start(victim);
    }
    cluster.commit('all', cluster.leader(), learners);
    cluster.compareLogs();
  });

  it('get a snapshot through a relay', () => {
    const { cluster, learners, leader } = large(6, 40);
    const last = learners.at(-1) as string;
    cluster.crash(last);
    for (let n = 0; n < 10; n += 1) cluster.commit(`before ${n}`, leader);
    for (const id of [leader, ...learners.slice(0, -1)]) cluster.compact(id, 0);
    cluster.start(last);
    cluster.commit('after', leader, learners);
  });
});

describe('what a relay says', () => {
  const log = logOf(['a', 'b', 'c'], [1]);
  const passedOn = (term: number, from: string, ageMs: number): RaftMessage => {
    const message = append(term, log.at(-1), [], 2) as Extract<RaftMessage, { type: 'appendRequest' }>;
    return { ...message, body: { ...message.body, leader: from, ageMs } };
  };

  it('is not for voters', () => {
    const raft = single('a', log);
    raft.receive('b', passedOn(2, 'c', 0), 5);
    expect([raft.term, raft.leader]).toEqual([1, '']);
  });

  it('is believed of members only', () => {
    const raft = single('x', log);
    raft.receive('stranger', passedOn(2, 'c', 0), 5);
    expect(raft.leader).toBe('');
    raft.receive('b', passedOn(2, 'c', 0), 5);
    expect([raft.term, raft.leader, raft.commitIndex]).toEqual([2, 'c', 2]);
    expect(saidTo(settle(raft), 'b', 'appendReply')).toMatchObject([{ success: true, matchIndex: 2 }]);
  });

  it('makes the leader no younger than the relay has heard it', () => {
    const raft = single('x', log);
    raft.receive('b', passedOn(2, 'c', 1_000), 5_000);
    expect(raft.ageMs(5_000)).toBe(1_000);
    expect(raft.hearsQuorum(5_100)).toBe(true);
    expect(raft.hearsQuorum(5_300)).toBe(false);
  });

  test('a relay passes on nothing that is not committed', () => {
    const raft = single('x', log);
    raft.receive('a', append(2, log.at(-1), [], 2), 1);
    raft.receive('a', { type: 'relay', body: { term: 2, children: ['y'] } }, 1);
    // It has all that is committed, so it is sent what comes next as soon as that may be told.
    raft.receive('y', success(settle(raft), 'y', 2), 2);
    const entry = { index: 3, term: 2, kind: 1, data: Buffer.from('new') };
    raft.receive('a', append(2, log.at(-1), [entry], 2), 100);
    const said = saidTo(settle(raft), 'y', 'appendRequest');
    expect(said.length).toBeGreaterThan(0);
    for (const { commitIndex, entries, leader } of said) expect([commitIndex, entries, leader]).toEqual([2, [], 'a']);
    raft.receive('a', append(2, entry, [], 3), 200);
    const then = saidTo(settle(raft), 'y', 'appendRequest');
    expect(then.flatMap(({ entries }) => entries)).toEqual([entry]);
  });

  test('a relay that hears nothing from its leader says nothing, and stops when another leads', () => {
    const raft = single('x', log);
    raft.receive('a', append(2, log.at(-1), [], 2), 1);
    raft.receive('a', { type: 'relay', body: { term: 2, children: ['y'] } }, 1);
    settle(raft);
    raft.tick(5_000);
    expect(saidTo(settle(raft), 'y', 'appendRequest')).toEqual([]);
    raft.receive('b', append(3, log.at(-1), [], 2), 5_001);
    expect(saidTo(settle(raft), 'y', 'appendRequest')).toEqual([]);
  });

  test('a relay that was made a voter and stands for election speaks for nobody', () => {
    const raft = single('x', log);
    raft.receive('a', append(2, log.at(-1), [], 2), 1);
    raft.receive('a', { type: 'relay', body: { term: 2, children: ['y'] } }, 1);
    const data = encodeConfiguration({ voters: ['a', 'b', 'c', 'x'], learners: ['y'] });
    raft.receive('a', append(2, log.at(-1), [{ index: 3, term: 2, kind: entryKinds.configuration, data }], 2), 2);
    settle(raft);
    raft.tick(raft.deadlineMs());
    expect(raft.role).toBe('preCandidate');
    expect(saidTo(settle(raft), 'y', 'appendRequest')).toEqual([]);
  });

  test('only the leader tells whom to serve', () => {
    const raft = single('x', log);
    raft.receive('a', append(2, log.at(-1), [], 2), 1);
    raft.receive('b', { type: 'relay', body: { term: 2, children: ['y'] } }, 1);
    raft.receive('a', append(2, log.at(-1), [], 2), 100);
    expect(saidTo(settle(raft), 'y', 'appendRequest')).toEqual([]);
  });
});
