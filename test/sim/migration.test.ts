import { describe, expect, test, vi } from 'vitest';
import type { AgentView, Operation } from '../../node/core/operation.ts';
import type { Plan } from '../../sim/plan.ts';
import { Cluster } from './cluster.ts';

vi.setConfig({ testTimeout: 120_000 });

const agent = 'counter';

interface Stage {
  cluster: Cluster;
  host: string;
  target: string;
  /** Neither of the two, and not the leader. */
  asked: string;
}

/** One agent with busy clients, on a node that does not lead, and another node that does not lead either. */
function stage(seed: string, parts: Partial<Plan> = {}): Stage {
  const cluster = new Cluster(seed, parts, { agents: 1 }).begin();
  const { world, leader } = cluster;
  const [host = '', target = '', asked = ''] = world.nodes.filter((node) => node !== leader);
  expect(cluster.ask(asked, { type: 'migrate', agent, target: host }).ok).toBe(true);
  cluster.progress(10, 10_000);
  return { cluster, host, target, asked };
}

const viewOf = ({ cluster, asked }: Stage): AgentView => {
  const outcome = cluster.ask(asked, { type: 'agent', agent, consistency: 'leader' });
  if (!outcome.ok) throw cluster.world.failure(outcome.error.message);
  // What is undefined does not travel between nodes.
  return { migration: undefined, migrationEnd: undefined, ...(outcome.result as Partial<AgentView>) } as AgentView;
};

const told = ({ cluster }: Stage, kind: string) =>
  [...cluster.world.reports.values()].flat().filter((report) => report.kind === kind);

function until(scene: Stage, what: string, isTrue: () => boolean): void {
  scene.cluster.world.runUntil(isTrue, 30_000, what);
}

const untilTold = (scene: Stage, kind: string, count = 1): void =>
  until(scene, kind, () => new Set(told(scene, kind).map(({ index }) => index)).size >= count);

const migrate = (target: string): Operation => ({ type: 'migrate', agent, target, wait: false });

/** The preparation takes so long that there is time for whatever is to happen meanwhile. */
function prepareSlowly({ cluster, target }: Stage): void {
  const runner = cluster.world.host(target).runner;
  if (runner !== undefined) vi.spyOn(runner, 'prepare').mockImplementation(() => {});
}

describe('a planned move', () => {
  test('says by the leader for which task it waits, while the host knows that it runs', () => {
    const scene = stage('waits for a task');
    const { cluster, host, target, asked } = scene;
    const { world } = cluster;
    const epochOf = (): number => world.instances().find((one) => one.node === host)?.epoch ?? 0;
    world.host(host).runner?.hang(agent, epochOf());
    expect(cluster.ask(asked, migrate(target)).ok).toBe(true);
    expect(viewOf(scene).migration?.waitsForTask).toBeUndefined();
    until(scene, 'it is told', () => viewOf(scene).migration?.waitsForTask?.startsWith('task-') === true);
    world.host(host).failAgent(agent, epochOf(), 'it hangs');
    until(scene, 'it is there', () => viewOf(scene).migration === undefined);
    expect(viewOf(scene)).toMatchObject({ host: target, decision: { node: target, ordered: true } });
    cluster.finish();
  });

  test('is answered when the agent answers at its target, and nobody who gave it a task meanwhile was told no', () => {
    const scene = stage('move');
    const { cluster, target, asked } = scene;
    expect(cluster.ask(asked, { type: 'migrate', agent, target })).toMatchObject({
      ok: true,
      result: { agent: { host: target, status: 'active' } },
    });
    expect(viewOf(scene)).toMatchObject({ host: target, migration: undefined, migrationEnd: undefined });
    for (const kind of ['migrationBegun', 'migrationPrepared']) expect(told(scene, kind).length).toBeGreaterThan(0);
    expect(cluster.hostOf(agent)).toBe(target);
    cluster.progress(20, 10_000);
    cluster.finish();
  });

  test('leaves the agent at work where it is until the target is prepared, and says how far it has come', () => {
    const scene = stage('at work');
    const { cluster, host, target, asked } = scene;
    prepareSlowly(scene);
    expect(cluster.ask(asked, migrate(target))).toMatchObject({ ok: true });
    cluster.progress(20, 10_000, agent);
    expect(cluster.hostOf(agent)).toBe(host);
    expect(viewOf(scene)).toMatchObject({ host, status: 'active', migration: { phase: 'preparing', target } });
    const there = cluster.ask(host, { type: 'agent', agent });
    const { migration } = (there.ok ? there.result : {}) as AgentView;
    expect(migration?.bytes).toBeGreaterThan(0);
    expect(migration?.bytesCopied).toBe(migration?.bytes);
  });

  test('is taken back while it is prepared: the agent never stopped, and nothing is left of it', () => {
    const scene = stage('cancel');
    const { cluster, host, target, asked } = scene;
    prepareSlowly(scene);
    cluster.ask(asked, migrate(target));
    expect(cluster.ask(asked, { type: 'cancelMigration', agent })).toMatchObject({
      ok: true,
      result: { agent: { host, migrationEnd: { cancelled: true } } },
    });
    expect(viewOf(scene).migration).toBeUndefined();
    expect(cluster.ask(asked, { type: 'cancelMigration', agent })).toMatchObject({
      ok: false,
      error: { code: 'migrationUnknown' },
    });
    cluster.progress(20, 10_000);
    expect(cluster.hostOf(agent)).toBe(host);
    cluster.finish();
  });

  test('tells whoever waits for it that it was taken back', () => {
    const scene = stage('cancel while waited for');
    const { cluster, target, asked } = scene;
    prepareSlowly(scene);
    const waiting = cluster.world.request(asked, { type: 'migrate', agent, target });
    untilTold(scene, 'migrationBegun', 2);
    cluster.ask(asked, { type: 'cancelMigration', agent });
    cluster.world.runUntil(() => waiting.state !== 'waiting', 5_000, 'an answer');
    expect(waiting.outcome).toMatchObject({ ok: false, error: { code: 'migrationFailed' } });
  });

  test('ends when its target dies, and the agent never stopped', () => {
    const scene = stage('target dies');
    const { cluster, host, target, asked } = scene;
    const { epoch } = viewOf(scene);
    prepareSlowly(scene);
    cluster.ask(asked, migrate(target));
    cluster.world.crash(target);
    untilTold(scene, 'migrationFailed');
    expect(viewOf(scene)).toMatchObject({ host, epoch, status: 'active', migration: undefined });
    cluster.world.restart(target);
    cluster.progress(20, 20_000);
    cluster.finish();
  });

  test('ends when its host dies, and the agent goes on elsewhere', () => {
    const scene = stage('host dies');
    const { cluster, host, target, asked } = scene;
    prepareSlowly(scene);
    cluster.ask(asked, migrate(target));
    cluster.world.crash(host);
    untilTold(scene, 'migrationFailed');
    until(scene, 'the agent answers', () => viewOf(scene).status === 'active');
    expect(viewOf(scene).host).not.toBe(host);
    cluster.world.restart(host);
    cluster.progress(20, 20_000);
    cluster.finish();
  });

  test('is brought to its end by the next leader', () => {
    const scene = stage('leader dies');
    const { cluster, host, target, asked } = scene;
    const { leader } = cluster;
    const runner = cluster.world.host(target).runner;
    const prepare = runner?.prepare.bind(runner);
    const held: Parameters<NonNullable<typeof prepare>>[] = [];
    if (runner !== undefined) vi.spyOn(runner, 'prepare').mockImplementation((...order) => void held.push(order));
    cluster.ask(asked, migrate(target));
    until(scene, 'the target prepares', () => held.length > 0);
    cluster.world.crash(leader);
    until(scene, 'another leads', () => cluster.leader !== leader);
    expect(cluster.hostOf(agent)).toBe(host);
    for (const order of held) prepare?.(...order);
    until(scene, 'the agent has moved', () => viewOf(scene).host === target && viewOf(scene).migration === undefined);
    cluster.world.restart(leader);
    cluster.progress(20, 20_000);
    cluster.finish();
  });

  test('does not keep tasks waiting when the path to its target is lost at the moment of the switch', () => {
    let putOff = 0;
    for (const seed of ['path lost 1', 'path lost 2', 'path lost 3', 'path lost 4']) {
      const scene = stage(seed, { workload: { clients: 12, agents: 1 } });
      const { cluster, host, target, asked } = scene;
      const { world } = cluster;
      let isCut = false;
      world.watch({
        happened(node, event) {
          if (isCut || node !== host || event.type !== 'message' || event.message.type !== 'prepared') return;
          isCut = true;
          for (const [from, to] of [[host, target] as const, [target, host] as const]) world.cut(from, to);
        },
      });
      cluster.ask(asked, migrate(target));
      world.runUntil(() => isCut || viewOf(scene).migration === undefined, 20_000, 'the switch, or the cut');
      for (let i = 0; i < 8; i++) expect(cluster.progress(1, 10_000)).toBeLessThan(2_500);
      putOff += told(scene, 'handoverPutOff').length;
    }
    expect(putOff).toBeGreaterThan(0);
  });
});
