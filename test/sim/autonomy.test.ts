import { describe, expect, test, vi } from 'vitest';
import type { AgentView, Operation, Results, StatusView } from '../../node/core/operation.ts';
import { readTally, type TallyTask } from '../../sim/tally.ts';
import { Cluster } from './cluster.ts';

vi.setConfig({ testTimeout: 120_000 });

const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const task = (agent: string, id: string, more: object = {}): Operation => ({
  ...{ type: 'task', agent, task: id, payload: bytes({ id, ...more }), ttlMs: 10_000 },
});

/** Five nodes and an autonomous agent with three holders; a test cuts off the side that has its host. */
class Stage {
  readonly cluster: Cluster;
  readonly agent: string;
  minority: string[] = [];
  majority: string[] = [];

  constructor(seed: string, agent: 'tally' | 'plain-tally' = 'tally') {
    const tallies = { merging: 1, plain: 1, clients: 0, holders: 3, thinkMsMax: 1_000 };
    this.cluster = new Cluster(seed, { tallies }, { agents: 1, clients: 0 }).begin();
    this.agent = agent;
  }

  get world() {
    return this.cluster.world;
  }

  view(node: string): AgentView {
    const outcome = this.cluster.ask(node, { type: 'agent', agent: this.agent, consistency: 'stale' });
    if (!outcome.ok) throw this.world.failure(outcome.error.message);
    return outcome.result as AgentView;
  }

  do(node: string, id: string, more: Omit<TallyTask, 'id'> = {}): Results['task'] {
    const outcome = this.cluster.ask(node, task(this.agent, id, more));
    if (!outcome.ok) throw this.world.failure(outcome.error.message);
    return outcome.result as Results['task'];
  }

  status(node: string): StatusView {
    const outcome = this.cluster.ask(node, { type: 'status' });
    if (!outcome.ok) throw this.world.failure(outcome.error.message);
    return outcome.result as StatusView;
  }

  /** Cuts two nodes off; the agent's host is one of them, or not. The other one is a holder. */
  cut(withHost: boolean): void {
    const { nodes } = this.world;
    const { host = '', holders } = this.view(nodes[0] ?? '');
    const others = holders.filter((node) => node !== host && node !== this.cluster.leader);
    const rest = nodes.filter((node) => node !== host && !others.includes(node) && node !== this.cluster.leader);
    const [first = ''] = others;
    this.minority = [withHost ? host : (others[1] ?? rest[0] ?? ''), first];
    this.majority = nodes.filter((node) => !this.minority.includes(node));
    this.world.partition([this.minority, this.majority]);
    const began = () =>
      this.minority.some((node) =>
        this.world.reports
          .get(node)
          ?.some(({ kind, details }) => kind === 'branchBegan' && details['agent'] === this.agent),
      );
    this.world.runUntil(began, 10_000, 'a branch on the cut-off side');
  }

  heal(): void {
    this.world.heal();
    const ended = () =>
      this.world.nodes.every((node) => this.view(node).branches?.some(({ end }) => end !== undefined));
    for (let tries = 0; tries < 100 && !ended(); tries++) this.world.runFor(200);
  }

  counts(node = this.majority[0] ?? ''): Record<string, number> {
    const outcome = this.cluster.ask(node, { type: 'state', agent: this.agent, ttlMs: 10_000 });
    if (!outcome.ok) throw this.world.failure(outcome.error.message);
    return readTally((outcome.result as Results['state']).state).counts;
  }
}

describe('an autonomous agent', () => {
  test('goes on where no majority is heard, and says so; a fenced one waits', () => {
    const stage = new Stage('goes on');
    stage.do(stage.world.nodes[0] ?? '', 'before');
    stage.cut(true);
    const [one = '', other = ''] = stage.minority;
    const answer = stage.do(other, 'alone');
    expect(answer).toMatchObject({ provisional: true, branch: expect.stringMatching(/^b/) });
    expect(stage.do(one, 'alone')).toEqual(answer);
    const read = stage.cluster.ask(one, { type: 'state', agent: 'tally', ttlMs: 5_000 });
    expect(read).toMatchObject({ ok: true, result: { provisional: true, branch: answer.branch } });
    const counter = { ...task('counter', 'waits'), payload: bytes({ serial: 1 }), ttlMs: 3_000 } as Operation;
    expect(stage.cluster.ask(one, counter)).toMatchObject({ ok: false });
    // What the others tell is a moment old.
    stage.world.runFor(500);
    const { autonomy } = stage.status(one);
    expect(autonomy?.nodes).toEqual([...stage.minority].sort());
    expect(stage.minority).toContain(autonomy?.actingManager);
    const running = autonomy?.agents.find(({ agent }) => agent === 'tally');
    expect(running).toMatchObject({ branch: answer.branch, tasks: 1 });
    expect(stage.status(stage.majority[0] ?? '').autonomy).toBeUndefined();
  });

  test('has what the branch did where the majority did nothing, with the same answers', () => {
    const stage = new Stage('fast forward');
    stage.do(stage.world.nodes[0] ?? '', 'before');
    stage.cut(true);
    const { value } = stage.do(stage.minority[1] ?? '', 'alone');
    stage.heal();
    const [{ end } = {}] = stage.view(stage.majority[0] ?? '').branches ?? [];
    expect(end).toMatchObject({ outcome: 'fastForwarded', steps: 0 });
    expect(stage.counts()).toEqual({ before: 1, alone: 1 });
    const again = stage.do(stage.majority[0] ?? '', 'alone');
    expect([again.provisional, again.value]).toEqual([undefined, value]);
    expect(stage.counts()).toEqual({ before: 1, alone: 1 });
  });

  test('merges what both sides did, each task once', () => {
    const stage = new Stage('merge');
    stage.do(stage.world.nodes[0] ?? '', 'before');
    stage.cut(false);
    for (const id of ['both', 'theirs']) expect(stage.do(stage.minority[0] ?? '', id).provisional).toBe(true);
    for (const id of ['both', 'ours']) expect(stage.do(stage.majority[0] ?? '', id).provisional).toBeUndefined();
    stage.heal();
    const [branch] = stage.view(stage.majority[0] ?? '').branches ?? [];
    expect(branch).toMatchObject({ tasks: 2, end: { outcome: 'merged' } });
    expect(stage.counts()).toEqual({ before: 1, both: 1, ours: 1, theirs: 1 });
    stage.do(stage.minority[0] ?? '', 'theirs');
    expect(stage.counts()).toEqual({ before: 1, both: 1, ours: 1, theirs: 1 });
  });

  test('without a merge keeps what the branch did as a fork, until an operator deletes it', () => {
    const stage = new Stage('fork', 'plain-tally');
    stage.do(stage.world.nodes[0] ?? '', 'before');
    stage.cut(false);
    stage.do(stage.minority[0] ?? '', 'theirs');
    stage.do(stage.majority[0] ?? '', 'ours');
    stage.heal();
    const [first = ''] = stage.majority;
    const [branch] = stage.view(first).branches ?? [];
    expect(branch?.end).toMatchObject({ outcome: 'forked', reason: 'its code has no merge function' });
    expect(stage.counts()).toEqual({ before: 1, ours: 1 });
    const wanted = { agent: stage.agent, fork: branch?.id ?? '', number: branch?.number ?? 0 };
    const fork = stage.cluster.ask(first, { type: 'fork', ...wanted });
    if (!fork.ok) throw stage.world.failure(fork.error.message);
    const { state, base } = fork.result as Results['fork'];
    expect([readTally(state).counts, readTally(base).counts]).toEqual([{ before: 1, theirs: 1 }, { before: 1 }]);
    expect(stage.cluster.ask(first, { type: 'forkDelete', ...wanted })).toMatchObject({ ok: true });
    stage.world.runFor(1_000);
    expect(stage.cluster.ask(first, { type: 'fork', ...wanted })).toMatchObject({ error: { code: 'forkUnknown' } });
    for (const node of stage.world.nodes) {
      const kept = stage.world
        .host(node)
        .disk.keys('')
        .filter((key) => key.includes(`${stage.agent}~`));
      expect(kept).toEqual([]);
    }
  });

  test('whose branch is kept as a fork sends nothing of it, and tells an operator what that was', () => {
    const stage = new Stage('letters of a fork', 'plain-tally');
    stage.do(stage.world.nodes[0] ?? '', 'before', { timer: { afterMs: 60_000, id: 'both-sides' } });
    stage.cut(false);
    stage.do(stage.minority[0] ?? '', 'theirs', {
      send: { to: 'tally', id: 'letter' },
      timer: { afterMs: 1_000, id: 'woken' },
    });
    stage.do(stage.majority[0] ?? '', 'ours');
    stage.heal();
    stage.world.runFor(5_000);
    const [first = ''] = stage.majority;
    const [branch] = stage.view(first).branches ?? [];
    const wanted = { agent: stage.agent, fork: branch?.id ?? '', number: branch?.number ?? 0 };
    const fork = stage.cluster.ask(first, { type: 'fork', ...wanted });
    if (!fork.ok) throw stage.world.failure(fork.error.message);
    const { letters, timers, takenBack } = fork.result as Results['fork'];
    expect(letters).toMatchObject([{ to: 'tally', key: stage.agent, task: { id: 'letter' } }]);
    expect(timers).toMatchObject([{ name: 'woken', task: { id: 'woken' } }]);
    expect(takenBack).toEqual([]);
    expect(stage.counts()).toEqual({ before: 1, ours: 1 });
    const read = stage.cluster.ask(first, { type: 'state', agent: 'tally', ttlMs: 10_000 });
    if (!read.ok) throw stage.world.failure(read.error.message);
    expect(readTally((read.result as Results['state']).state).counts).toEqual({});
  });

  test('goes on at the other node of its side when the host of the branch dies', () => {
    const stage = new Stage('host of a branch');
    stage.cut(true);
    stage.do(stage.minority[0] ?? '', 'first');
    const host =
      stage.status(stage.minority[0] ?? '').autonomy?.agents.find(({ agent }) => agent === 'tally')?.host ?? '';
    const other = stage.minority.find((node) => node !== host) ?? '';
    stage.world.crash(host, 'silent');
    stage.do(other, 'second');
    stage.world.restart(host);
    stage.heal();
    stage.world.runFor(5_000);
    expect(stage.counts()).toMatchObject({ first: 1, second: 1 });
  });
});
