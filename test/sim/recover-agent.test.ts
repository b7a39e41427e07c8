import { describe, expect, test, vi } from 'vitest';
import type { AgentView, Operation, Outcome } from '../../node/core/operation.ts';
import { defaultSettings } from '../../node/core/settings.ts';
import type { Asked } from '../../sim/world.ts';
import { Cluster } from './cluster.ts';

vi.setConfig({ testTimeout: 120_000 });

const agent = 'counter';
const { fenceMs } = defaultSettings;
const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const valueOf = (outcome: Outcome | undefined): unknown =>
  outcome?.ok
    ? JSON.parse(new TextDecoder().decode((outcome as Outcome<'task'> & { ok: true }).result.value))
    : outcome;

/** One agent without clients on three of seven nodes, none of which leads; `lag` is a holder cut off from its host for some tasks. */
class Scene {
  readonly cluster: Cluster;
  readonly host: string;
  readonly others: string[];
  readonly outside: string[] = [];
  #tasks = 0;

  /** `led`: whether the leader is a holder. */
  constructor(seed: string, led = false) {
    this.cluster = new Cluster(seed, { nodes: 7 }, { agents: 1, clients: 0, holders: 3 }).begin();
    const { world } = this.cluster;
    // The first nodes are the first choice for holders: a later one is to lead.
    while (!led && ['n1', 'n2'].includes(this.cluster.leader)) {
      const first = this.cluster.leader;
      world.crash(first);
      world.runFor(8_000);
      world.restart(first);
      this.cluster.settle();
    }
    const { leader } = this.cluster;
    for (const target of world.nodes.filter((node) => node !== leader)) {
      if (!this.ask({ type: 'migrate', agent, target }, leader).ok) throw world.failure(`no move to ${target}`);
      if (this.view().holders.includes(leader) === led) break;
    }
    for (let i = 0; i < 5; i++) this.task();
    world.runFor(3_000);
    const { holders, host } = this.view();
    this.host = host ?? '';
    // The leader first, where it is one: it stays.
    this.others = holders.filter((node) => node !== host).sort((a) => (a === leader ? -1 : 1));
    this.outside.push(...world.nodes.filter((node) => !holders.includes(node)));
  }

  ask(operation: Operation, at = this.outside[0] ?? 'n1'): Outcome {
    return this.cluster.ask(at, operation);
  }

  begin(ttlMs = 5_000, at?: string): Asked {
    this.#tasks += 1;
    const task = { type: 'task' as const, agent, task: `mine-${this.#tasks}`, payload: bytes({ serial: this.#tasks }) };
    return this.cluster.world.request(at ?? this.outside[0] ?? this.cluster.leader, { ...task, ttlMs, priority: 0 });
  }

  task(ttlMs?: number): Outcome | undefined {
    const asked = this.begin(ttlMs);
    this.cluster.world.runUntil(() => asked.state !== 'waiting', 30_000, 'a task');
    return asked.outcome;
  }

  view(): AgentView {
    const outcome = this.ask({ type: 'agent', agent, consistency: 'leader' });
    if (!outcome.ok) throw this.cluster.world.failure(outcome.error.message);
    return outcome.result as AgentView;
  }

  stuck(): NonNullable<AgentView['stuck']> {
    let stuck: AgentView['stuck'];
    for (let i = 0; i < 60; i++) {
      stuck = this.view().stuck;
      if (stuck !== undefined && stuck.survivors.length > 0) return stuck;
      this.cluster.world.runFor(1_000);
    }
    throw this.cluster.world.failure('it is not said to be stuck');
  }

  told(kind: string) {
    return [...this.cluster.world.reports.values()].flat().filter((report) => report.kind === kind);
  }

  recover(epoch: number, sequence: number, from?: string): Outcome {
    return this.ask({ type: 'recoverAgent', agent, epoch, sequence, ...(from !== undefined && { from }) });
  }
}

describe('an agent most of whose holders are lost', () => {
  test('says so, and goes on only when an operator names what is left; nothing is lost where that was the last step', () => {
    const scene = new Scene('lost');
    const { world } = scene.cluster;
    const [kept = '', lost = ''] = scene.others;
    expect(scene.view().failures).toMatchObject({ holders: 3, disks: 1, unreachable: 1 });
    expect(scene.recover(1, 1)).toMatchObject({ ok: false, error: { code: 'agentNotStuck' } });
    for (const node of [scene.host, lost]) {
      world.crash(node);
      world.gone.add(node);
    }
    world.runFor(30_000);
    const stuck = scene.stuck();
    expect(stuck.missing.map(({ node }) => node).sort()).toEqual([scene.host, lost].sort());
    // The new host may have something older from before.
    expect(stuck.survivors[0]?.node).toBe(kept);
    expect(scene.told('agentStuck').length).toBeGreaterThan(0);
    expect(scene.view().status).toBe('recovering');
    const [{ epoch, sequence }] = stuck.survivors as [(typeof stuck.survivors)[0]];
    expect(scene.recover(epoch, sequence + 1)).toMatchObject({ ok: false, error: { code: 'checkpointChanged' } });
    expect(scene.recover(epoch, sequence, scene.host)).toMatchObject({
      ok: false,
      error: { code: 'checkpointChanged' },
    });
    expect(scene.view().status).toBe('recovering');
    expect(stuck.last).toMatchObject({ epoch, sequence });
    // Its host said something every second, though the agent was idle.
    expect(stuck.last?.ageMs).toBeLessThan(3_000);
    expect(stuck.last?.idleMs).toBeGreaterThan(1_000);
    expect(scene.recover(epoch, sequence)).toMatchObject({
      ok: true,
      result: {
        ...{ from: kept, epoch, sequence, lost: 0, waits: { host: scene.host }, knownAgeMs: stuck.last?.ageMs },
        text: expect.stringMatching(
          /^no acknowledged step is known to be lost, as known \d\.\d s before its host was missed; the agent had been idle for \d+\.\d s then/,
        ),
      },
    });
    expect(valueOf(scene.task(30_000))).toEqual({ total: 6 });
    expect(scene.view()).toMatchObject({ status: 'active', loss: { from: kept, epoch, sequence, lost: 0 } });
    expect(scene.view().stuck).toBeUndefined();
    expect(scene.told('agentRecovered').length).toBeGreaterThan(0);
  });

  test('is told how much is lost, and what comes back later with more is said to be there and changes nothing', () => {
    const scene = new Scene('behind');
    const { world } = scene.cluster;
    const [behind = '', other = ''] = scene.others;
    const cut = [world.cut(scene.host, behind), world.cut(behind, scene.host)];
    for (let i = 0; i < 4; i++) expect(valueOf(scene.task())).toEqual({ total: 6 + i });
    world.runFor(2_000);
    expect(scene.view().failures?.text).toBe('1 of 3 holders is catching up: can take 0 failures now');
    for (const node of [scene.host, other]) world.crash(node);
    for (const each of cut) world.mend(each);
    world.runFor(30_000);
    const [{ epoch, sequence }] = scene.stuck().survivors as unknown as [{ epoch: number; sequence: number }];
    const outcome = scene.recover(epoch, sequence);
    expect(outcome).toMatchObject({ ok: true, result: { from: behind, lost: 4 } });
    expect(valueOf(scene.task(20_000))).toEqual({ total: 6 });
    for (const node of [scene.host, other]) world.restart(node);
    world.runFor(20_000);
    const leftovers = scene.told('agentLeftover');
    expect(new Set(leftovers.map(({ details }) => (details as { sequence: number }).sequence))).toEqual(
      new Set([sequence + 4]),
    );
    expect(valueOf(scene.task())).toEqual({ total: 7 });
    scene.cluster.settle();
  });

  test('is told how much is lost of what was done in the last seconds, and how old that knowledge was', () => {
    const scene = new Scene('busy');
    const { world } = scene.cluster;
    const [behind = '', other = ''] = scene.others;
    const cut = [world.cut(scene.host, behind), world.cut(behind, scene.host)];
    const steps: number[] = [];
    for (let i = 0; i < 40; i++) {
      expect(scene.task()).toMatchObject({ ok: true });
      steps.push(world.nowMs);
      world.runFor(100);
    }
    const diedMs = world.nowMs;
    for (const node of [scene.host, other]) world.crash(node);
    for (const each of cut) world.mend(each);
    world.runFor(30_000);
    const stuck = scene.stuck();
    const [{ epoch, sequence }] = stuck.survivors as unknown as [{ epoch: number; sequence: number }];
    const outcome = scene.recover(epoch, sequence);
    const { lost = 0, text } = (outcome as { result: { lost?: number; text: string } }).result;
    // A report a second, and some ms until it is there.
    expect(lost).toBeGreaterThanOrEqual(steps.filter((atMs) => atMs < diedMs - 1_300).length);
    expect(lost).toBeLessThanOrEqual(steps.length);
    expect(text).toMatch(
      new RegExp(`^at least ${lost} acknowledged steps are lost, as known \\d\\.\\d s before its host was missed`),
    );
    const told = { lost, knownAgeMs: stuck.last?.ageMs };
    expect(scene.view().loss).toMatchObject(told);
    expect(scene.told('agentRecovered')[0]?.details).toMatchObject(told);
  });

  test('is never answered by the host that was only cut off with a holder, whatever it did meanwhile', () => {
    const scene = new Scene('cut off');
    const { world } = scene.cluster;
    const [kept = '', other = ''] = scene.others;
    const cut = world.partition([[scene.host, other]]);
    world.runFor(30_000);
    // They would be enough to acknowledge it, and know of no majority.
    const late = scene.begin(120_000, scene.host);
    const [survivor] = scene.stuck().survivors;
    expect(survivor?.node).toBe(kept);
    expect(late.state).toBe('waiting');
    expect(scene.recover(survivor?.epoch ?? 0, survivor?.sequence ?? 0)).toMatchObject({ ok: true });
    expect(valueOf(scene.task(20_000))).toEqual({ total: 6 });
    world.mend(cut);
    world.runUntil(() => late.state !== 'waiting', 60_000, 'the answer to the late task');
    // Whoever answers it, it is part of what all see from now on.
    expect(valueOf(late.outcome)).toEqual({ total: 7 });
    expect(valueOf(scene.task())).toEqual({ total: 8 });
    scene.cluster.settle();
  });

  test('is not placed while its old host, which hears of nothing, may still answer: eight seconds, and anew with each leader', () => {
    const scene = new Scene('cut off');
    const { world } = scene.cluster;
    const [kept = '', other = ''] = scene.others;
    world.partition([[scene.host, other]]);
    world.runFor(30_000);
    const [{ epoch, sequence }] = scene.stuck().survivors as unknown as [{ epoch: number; sequence: number }];
    const outcome = scene.recover(epoch, sequence);
    expect(outcome).toMatchObject({ ok: true, result: { from: kept, waits: { host: scene.host, leftMs: fenceMs } } });
    expect(scene.view().waits?.text).toMatch(/^it waits \d s until .*, where it ran, must have stopped/);
    const placedMs = (): number | undefined => {
      const sinceMs = world.nowMs;
      world.runUntil(() => scene.view().waits === undefined, 60_000, 'the end of the wait');
      return world.nowMs - sinceMs;
    };
    world.runFor(fenceMs - 3_000);
    expect(scene.view().waits).toBeDefined();
    const { leader } = scene.cluster;
    world.crash(leader);
    world.runFor(5_000);
    world.restart(leader);
    scene.cluster.world.runUntil(() => scene.view().waits !== undefined, 5_000, 'the next leader');
    expect(placedMs()).toBeGreaterThan(1_000);
    expect(valueOf(scene.task(20_000))).toEqual({ total: 6 });
  });

  test('goes on at once when its old host is there and says that it has read it', () => {
    const scene = new Scene('old host is there');
    const { world } = scene.cluster;
    for (const node of scene.others) {
      world.crash(node);
      world.gone.add(node);
    }
    world.runFor(30_000);
    const stuck = scene.stuck();
    expect(stuck.survivors[0]?.node).toBe(scene.host);
    const [{ epoch, sequence }] = stuck.survivors as unknown as [{ epoch: number; sequence: number }];
    expect(scene.recover(epoch, sequence)).toMatchObject({ ok: true });
    const sinceMs = world.nowMs;
    expect(valueOf(scene.task(20_000))).toEqual({ total: 6 });
    expect(world.nowMs - sinceMs).toBeLessThan(2_000);
  });

  test('is found stuck by the next leader, too, who does not know how much is lost', () => {
    const scene = new Scene('next leader', true);
    const { world } = scene.cluster;
    const [leader = '', kept = ''] = scene.others;
    expect(leader).toBe(scene.cluster.leader);
    for (const node of [scene.host, leader]) world.crash(node);
    world.runFor(10_000);
    const [survivor] = scene.stuck().survivors;
    expect(survivor?.node).toBe(kept);
    const outcome = scene.recover(survivor?.epoch ?? 0, survivor?.sequence ?? 0);
    expect(outcome).toMatchObject({ ok: true, result: { from: kept } });
    expect(outcome.ok && (outcome.result as { lost?: number }).lost).toBe(undefined);
    scene.cluster.settle();
  });
});
