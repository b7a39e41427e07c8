import { describe, expect, it } from 'vitest';
import { Cluster } from './cluster.ts';
import { elect, logOf, saidTo, settle, single, success } from './single.ts';

const voters = ['a', 'b', 'c', 'd', 'e'];

describe('a node that should rather not lead', () => {
  it('lets the others go first when the leader is gone', () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const cluster = new Cluster(seed, voters);
      const leader = cluster.leader();
      const rest = voters.filter((id) => id !== leader);
      const preferred = rest[seed % rest.length] as string;
      for (const id of rest) cluster.node(id).setPriority(id === preferred ? 1 : 0);
      // Deadlines that were drawn before are drawn anew with the next sign of life.
      cluster.run(200);
      cluster.crash(leader);
      if (seed % 2 === 0) cluster.hangUp(leader, 0);
      expect(cluster.leader(), `seed ${seed}`).toBe(preferred);
    }
  });

  it('leads all the same when nobody else does', () => {
    const cluster = new Cluster(3, ['a', 'b', 'c']);
    for (const id of ['a', 'b', 'c']) cluster.node(id).setPriority(0);
    expect(cluster.leader(5_000)).not.toBe('');
  });
});

describe('a disk that is stuck', () => {
  it('costs a leader its leadership: it asks another to stand, at once', () => {
    const log = logOf(['a', 'b', 'c'], []);
    const raft = single('a', log, 1);
    const output = elect(raft, ['b', 'c'], 1_300);
    raft.receive('b', success(output, 'b', raft.lastIndex), 1_301);
    raft.propose(Buffer.from('x'), 1_302);
    raft.takeOutput();
    // The others answer all the while.
    for (let nowMs = 1_350; nowMs < 2_300; nowMs += 50) {
      raft.tick(nowMs);
      const beat = raft.takeOutput();
      for (const id of ['b', 'c']) {
        if (saidTo(beat, id, 'appendRequest').length > 0) raft.receive(id, success(beat, id, raft.lastIndex), nowMs);
      }
    }
    expect(raft.role).toBe('leader');
    expect(raft.deadlineMs()).toBeLessThanOrEqual(2_302);
    raft.tick(2_302);
    expect(raft.role).toBe('follower');
    const { early } = raft.takeOutput();
    expect(early.filter(({ message }) => message.type === 'transferLeadership')).toHaveLength(1);
  });

  it('keeps a voter from standing, until it writes again', () => {
    const raft = single('b', logOf(['a', 'b', 'c'], []), 1);
    raft.receive(
      'c',
      { type: 'voteRequest', body: { term: 2, pre: false, lastIndex: 9, lastTerm: 1, transfer: false } },
      1,
    );
    const { persist } = raft.takeOutput();
    for (let nowMs = 1_100; nowMs < 6_000; nowMs += 100) raft.tick(nowMs);
    expect(raft.role).toBe('follower');
    if (persist) raft.durable(persist, 6_000);
    raft.tick(8_000);
    expect(raft.role).toBe('preCandidate');
    settle(raft);
  });
});
