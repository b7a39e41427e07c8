import { describe, expect, test } from 'vitest';
import { ambientKinds, type FaultKind, faultKinds, faultNames, faults } from '../../sim/faults/catalog.ts';
import { drawPlan } from '../../sim/plan.ts';
import { Simulation } from '../../sim/simulation.ts';
import { calmPlan } from './cluster.ts';
import { Stage } from './stage.ts';

/** How a strike of each kind shows, at the latest while it lasts; a mapped type, so that none is forgotten. */
const signs: { [K in FaultKind]: (stage: Stage) => boolean } = {
  partition: (stage) => stage.groups() === 2,
  split: (stage) => stage.groups() >= 3,
  oneWay: (stage) => stage.cuts().length === 1,
  isolate: (stage) => stage.cuts().length === 4,
  reset: (stage) => stage.disconnections().length === 2 && stage.cuts().length === 0,
  halfReset: (stage) => stage.disconnections().length === 1,
  slowLink: (stage) => stage.cuts().length === 0 && stage.slowestFrameMs() >= 10,
  crash: (stage) => stage.states('off') === 1 && stage.disconnections().length === 4,
  powerLoss: (stage) => stage.states('off') === 1 && stage.disconnections().length === 0,
  blackout: (stage) => stage.states('off') >= 1,
  // Each node of this world is alone on its machine.
  machineLoss: (stage) => stage.states('off') === 1 && stage.disconnections().length === 0,
  restartWave: (stage) => new Set(stage.ended).size === 5 && stage.states('off') <= 1,
  pause: (stage) => stage.states('paused') === 1,
  suspend: (stage) =>
    stage.states('paused') === 1 && stage.acts.some(({ text }) => text.includes('clock stands still')),
  slowNode: ({ world }) => world.nodes.some((node) => world.host(node).serviceMs >= 2),
  slowDisk: ({ world }) => world.nodes.some((node) => world.host(node).disk.slowness >= 5),
  slowHost: ({ world }) => world.nodes.some((node) => world.host(node).disk.slowness >= 20),
  diskError: (stage) => stage.exits(74, 'the disk: error'),
  diskFull: (stage) => stage.exits(74, 'the disk: full'),
  bitRot: (stage) => stage.exits(65, 'not what was written') && stage.world.gone.size === 1,
  wipe: ({ world }) => world.gone.size === 1 && world.nodes.includes('n6'),
  clockStep: (stage) => stage.wallClocksOff() === 1,
  clockRate: ({ world }) => world.nodes.some((node) => world.host(node).clock.rate !== 1),
  agentCrash: (stage) => stage.failed('it crashed') === 1,
  agentMemory: (stage) => stage.failed('128 MB of memory') === 1,
  agentHang: (stage) => stage.failed('did not answer') === 1,
  agentSlow: (stage) => stage.slowestTaskMs() >= 100,
  noRoom: ({ world }) => world.nodes.some((node) => world.host(node).runner?.isFull),
  crashLoop: (stage) => stage.failed('it crashed again') >= 3,
  deploy: (stage) => stage.asked('deploy'),
  remove: (stage) => stage.asked('delete'),
  migrate: (stage) => stage.asked('migrate'),
  upgrade: (stage) => stage.asked('upgrade'),
  evacuate: (stage) => stage.asked('drain') && stage.asked('undrain'),
  lead: (stage) => stage.asked('lead'),
  drain: (stage) => stage.exits(0, 'asked to'),
  holdersLost: (stage) => stage.cuts().length > 0,
  splitAgain: (stage) => stage.cuts().length > 0,
  missedMoves: (stage) => stage.cuts().length > 0,
  acceptLoss: (stage) => stage.asked('agent'),
  scale: ({ world }) => world.nodes.length === 6,
};

describe('every kind of fault', () => {
  test.each(faultKinds)('%s strikes where it should, says so, and is taken back in its time', (kind) => {
    const stage = new Stage(`fault ${kind}`);
    const { world, director } = stage;
    expect(stage.lasting()).toEqual([]);
    director.strike({ kind, lastsMs: 2_500, draw: 5, atMs: 0 });
    let isSeen = signs[kind](stage);
    for (let turn = 0; turn < 420; turn++) {
      // Some are over soon.
      world.runFor(turn < 20 ? 1 : 50);
      isSeen = isSeen || signs[kind](stage);
    }
    expect(isSeen).toBe(true);
    expect([...director.counts]).toEqual([[kind, 1]]);
    expect(stage.acts.filter((act) => act.kind === 'fault').length).toBeGreaterThan(0);
    expect(stage.lasting()).toEqual([]);
  });
});

describe('a run with faults of every kind', () => {
  test('has them all, and when they are over every machine runs and reaches every other one', () => {
    const plan = drawPlan('everything', { everything: true, minutes: 1.5, nodes: 5 });
    const simulation = new Simulation(plan);
    const { world, director } = simulation;
    simulation.begin();
    world.runFor(plan.faultsMs);
    expect(new Set(director.counts.keys())).toEqual(new Set(faultKinds));
    simulation.healMajority();
    const strikes = [...director.counts.values()];
    simulation.healAll();
    expect([...director.counts.values()]).toEqual(strikes);
    expect(world.running).toEqual(world.nodes);
    for (const one of world.nodes) {
      const { disk, serviceMs } = world.host(one);
      expect([disk.trouble, disk.slowness, serviceMs]).toEqual([undefined, 1, 0]);
      for (const other of world.nodes) expect(world.network.reaches(one, other)).toBe(true);
    }
    simulation.judge();
  });

  test('ends them when the director says so: none strikes, and none is taken back any more', () => {
    const stage = new Stage('the end');
    const { world, director } = stage;
    director.begin([
      { atMs: 100, kind: 'pause', lastsMs: 1_000, draw: 1 },
      { atMs: 500, kind: 'crash', lastsMs: 1_000, draw: 2 },
    ]);
    world.runFor(200);
    director.end();
    world.runFor(5_000);
    expect([...director.counts.keys()]).toEqual(['pause']);
    expect([stage.states('paused'), stage.states('off')]).toEqual([1, 0]);
  });
});

describe('the names of faults', () => {
  const all = { ...faults, ...ambientKinds };
  const kinds = Object.keys(all) as (keyof typeof all)[];

  test('every kind is said in words of its own', () => {
    const words = kinds.map((kind) => all[kind].what);
    for (const what of words) expect(what).toMatch(/^[a-z].{15,}[^.]$/);
    expect(new Set(words).size).toBe(kinds.length);
  });

  test('each group stands for its kinds, and each kind that is no group for itself', () => {
    const groups = new Set<string>(kinds.map((kind) => all[kind].group));
    for (const group of groups) {
      expect(faultNames.get(group)).toEqual(kinds.filter((kind) => all[kind].group === group));
    }
    for (const kind of kinds) {
      expect(faultNames.get(kind)).toContain(kind);
      if (!groups.has(kind)) expect(faultNames.get(kind)).toEqual([kind]);
    }
    expect(new Set(faultNames.keys())).toEqual(new Set([...groups, ...kinds]));
  });

  test('a kind that is called like a group belongs to it', () => {
    for (const kind of kinds) if (kinds.some((other) => all[other].group === kind)) expect(all[kind].group).toBe(kind);
  });
});

test('a machine that loses power takes every node that stands on it, and no other', () => {
  for (let draw = 0; draw < 5; draw++) {
    const { world, director } = new Simulation(calmPlan(`machine ${draw}`, { nodes: 5, perMachine: 2 }));
    world.runFor(3_000);
    director.strike({ kind: 'machineLoss', lastsMs: 2_000, draw, atMs: 0 });
    world.runFor(1);
    const off = world.nodes.filter((node) => world.host(node).state === 'off');
    expect(['n1 n2', 'n3 n4', 'n5']).toContain(off.join(' '));
    world.runFor(3_000);
    expect(world.running).toHaveLength(5);
  }
});
