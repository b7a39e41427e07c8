import { expect, it } from 'vitest';
import type { Configuration } from '../../consensus/raft.ts';
import { Cluster } from './cluster.ts';

const seeds = 300;

/** Short, so that a life of a few seconds sees many terms. */
const options = {
  heartbeatIntervalMs: 30,
  electionTimeoutMsMin: 150,
  electionTimeoutMsMax: 300,
  entriesPerMessageMax: 3,
  committedPerOutputMax: 3,
  snapshotChunkBytes: 100,
  directLearnersMin: 1,
};

/** One thing that goes wrong, or is asked for. */
function disturb(cluster: Cluster, random: () => number): void {
  const pick = (ids: string[]): string => ids[Math.floor(random() * ids.length)] as string;
  const up = cluster.ids.filter((id) => cluster.isUp(id));
  const down = cluster.ids.filter((id) => !cluster.isUp(id));
  const draw = random();
  if (draw < 0.12 && up.length > 0) {
    const id = pick(up);
    cluster.crash(id);
    if (random() < 0.7) cluster.hangUp(id, 30);
  } else if (draw < 0.3 && down.length > 0) {
    cluster.start(pick(down));
  } else if (draw < 0.36) {
    const inside = cluster.ids.filter(() => random() < 0.5);
    cluster.partition(
      inside,
      cluster.ids.filter((id) => !inside.includes(id)),
    );
  } else if (draw < 0.42) {
    cluster.cut(pick(cluster.ids), pick(cluster.ids));
  } else if (draw < 0.55) {
    cluster.heal();
  } else if (draw < 0.6 && up.length > 0) {
    cluster.hangUp(pick(up), 30);
  } else if (draw < 0.65 && up.length > 0) {
    cluster.pause(pick(up));
  } else if (draw < 0.75) {
    for (const id of up) cluster.resume(id);
  } else {
    ask(cluster, random, up);
  }
}

function ask(cluster: Cluster, random: () => number, up: string[]): void {
  for (const id of up) {
    if (cluster.node(id).role !== 'leader') continue;
    const draw = random();
    if (draw < 0.5) cluster.on(id, (raft, now) => raft.propose(Buffer.from(`${now}`), now));
    else if (draw < 0.7) cluster.compact(id, Math.floor(random() * 4));
    else if (draw < 0.8) cluster.on(id, (raft, now) => raft.transferLeadership(cluster.ids[0] as string, now));
    else cluster.change(someChange(cluster, random, cluster.node(id).configuration()), id);
  }
}

function someChange(cluster: Cluster, random: () => number, now: Configuration): Configuration {
  const id = cluster.ids[Math.floor(random() * cluster.ids.length)] as string;
  const learners = now.learners.filter((learner) => learner !== id);
  if (!now.voters.includes(id)) {
    return random() < 0.5
      ? { voters: [...now.voters, id], learners }
      : { voters: now.voters, learners: [...learners, id] };
  }
  const voters = now.voters.filter((voter) => voter !== id);
  if (voters.length < 2) return now;
  return { voters, learners: random() < 0.5 ? [...learners, id] : learners };
}

function live(seed: number): { committed: number; terms: number } {
  const size = 3 + (seed % 3);
  const cluster = new Cluster(seed, ['a', 'b', 'c', 'd', 'e'].slice(0, size), options);
  cluster.add('x');
  cluster.add('y');
  cluster.add('z');
  const { random } = cluster;
  cluster.faults = {
    loss: random() * 0.2,
    duplication: random() * 0.2,
    delayMsMin: 0.2,
    delayMsMax: random() < 0.5 ? 3 : 80,
    diskMsMax: random() < 0.5 ? 1 : 40,
  };
  for (let turn = 0; turn < 60; turn += 1) {
    disturb(cluster, random);
    for (const id of cluster.ids.filter((one) => cluster.isUp(one))) {
      cluster.on(id, (raft, now) => raft.propose(Buffer.from(`${id} ${now}`), now));
    }
    cluster.run(random() * 150);
    cluster.compareLogs();
  }
  // The faults stop: there must be a leader, and everybody must get everything.
  cluster.heal();
  cluster.faults = { loss: 0, duplication: 0, delayMsMin: 0.2, delayMsMax: 1, diskMsMax: 1 };
  for (const id of cluster.ids) {
    if (!cluster.isUp(id)) cluster.start(id);
    cluster.resume(id);
  }
  const leader = cluster.leader(15_000);
  const { voters, learners } = cluster.node(leader).configuration();
  cluster.run(2_000);
  cluster.commit('last', cluster.leader(), [...voters, ...learners]);
  cluster.compareLogs();
  return { committed: cluster.checker.committed.length, terms: cluster.checker.leaders.size };
}

it(`keeps every promise of figure 3 in ${seeds} bad lives, and goes on after each`, () => {
  let committed = 0;
  let terms = 0;
  for (let seed = 1; seed <= seeds; seed += 1) {
    try {
      const lived = live(seed);
      committed += lived.committed;
      terms += lived.terms;
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`, { cause: error });
    }
  }
  // Lives in which nothing happens would prove nothing.
  expect(committed).toBeGreaterThan(seeds * 5);
  expect(terms).toBeGreaterThan(seeds * 2);
}, 60_000);
