import { describe, expect, test } from 'vitest';
import { keys } from '../../node/core/records.ts';
import { StateParts } from '../../node/core/wire/messages.ts';
import { Disk, defaultDisk } from '../../sim/disk.ts';
import { catalog, markNames } from '../../sim/marks/catalog.ts';
import { copyMarks } from '../../sim/marks/copies.ts';
import { mergeHits, unhit } from '../../sim/marks/hits.ts';
import { Marks } from '../../sim/marks/marks.ts';
import type { Scene } from '../../sim/marks/scene.ts';
import { drawPlan } from '../../sim/plan.ts';
import { Random } from '../../sim/random.ts';
import { Simulation } from '../../sim/simulation.ts';

/** A run with the marks watching, or without. */
function run(seed: string, watched: boolean): { hash: string; marks: Marks | undefined } {
  const simulation = new Simulation(drawPlan(seed, { minutes: 0.5 }));
  const marks = watched ? new Marks(simulation.world) : undefined;
  if (marks) simulation.world.watch(marks);
  simulation.run();
  return { hash: simulation.world.trace.hash(), marks };
}

describe('coverage marks', () => {
  test('are at least forty, each with a sentence of its own', () => {
    expect(markNames.length).toBeGreaterThanOrEqual(40);
    const sentences = Object.values(catalog);
    expect(new Set(sentences).size).toBe(sentences.length);
    for (const sentence of sentences) expect(sentence).toMatch(/^[A-Z].{20,}\.$/);
  });

  test('change nothing in what they watch', () => {
    for (const seed of ['marked 1', 'marked 2']) expect(run(seed, true).hash).toBe(run(seed, false).hash);
  });

  test('are hit by a few ordinary runs, some of them', () => {
    const hits = mergeHits(['2', '3', '4', '6'].map((seed) => run(seed, true).marks?.counts() ?? {}));
    expect(markNames.length - unhit(hits).length).toBeGreaterThan(15);
  });

  test('that nobody hit are named', () => {
    expect(unhit({})).toEqual(markNames);
    const [first] = markNames;
    if (first !== undefined) expect(unhit({ [first]: 1 })).not.toContain(first);
  });
});

test('a start from a disk with a turned bit drops no unfinished copy, for it reads nothing', () => {
  const writes = [
    { key: keys.state('a'), value: StateParts.encode({ parts: [1, 300] }) },
    { key: keys.statePart('a', 1), value: new Uint8Array() },
    { key: keys.statePart('a', 2), value: new Uint8Array() },
  ];
  for (let i = 0; i < 20; i++) {
    const disk = new Disk(new Random('disk'), defaultDisk);
    disk.begin(writes);
    disk.sync();
    let hits = 0;
    const scene = { world: { host: () => ({ disk }) } } as unknown as Scene;
    const mark = copyMarks['unfinished-copy-dropped-at-the-start'](scene, () => (hits += 1));
    mark.durable?.('n1', writes);
    mark.started?.('n1');
    expect(hits).toBe(1);
    disk.rot(new Random(`rot ${i}`));
    mark.started?.('n1');
    expect(hits).toBe(1);
  }
});
