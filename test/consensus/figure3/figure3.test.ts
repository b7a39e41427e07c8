import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judges } from './judges.ts';
import { play, schedules } from './schedule.ts';

const numRuns = 120;
const names = Object.keys(judges) as (keyof typeof judges)[];

/** Figure 3 of the paper: "Raft guarantees that each of these properties is true at all times." */
describe('whatever the network, the disks and the users do', () => {
  it.each(names)('%s holds', (name) => {
    fc.assert(
      fc.property(schedules(), (schedule) => {
        play(schedule, judges[name]());
      }),
      { numRuns },
    );
  });

  it('enough happens to be worth judging', () => {
    const lives = fc.sample(schedules(), { numRuns: 50, seed: 7 }).map((schedule) => play(schedule, () => {}));
    const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);
    expect(sum(lives.map(({ applied }) => applied))).toBeGreaterThan(50 * 7);
    expect(sum(lives.map(({ terms }) => terms))).toBeGreaterThan(50 * 3);
  });
});

/** The same lives, but a crash takes along what the disk had said was safe: then the judges must have something to say. */
describe('with disks that forget', () => {
  it.each(names.filter((name) => name !== 'leaderAppendOnly'))('%s is broken, and the judge says so', (name) => {
    const found = fc.check(
      fc.property(schedules(), (schedule) => {
        try {
          play(schedule, judges[name](), true);
        } catch (error) {
          // Nodes that notice for themselves that something cannot be are not what is judged here.
          if (error instanceof Error && /^(election|leader|log m|state m)/.test(error.message)) throw error;
        }
      }),
      { numRuns: 400, seed: 11, endOnFailure: true },
    );
    expect(found.failed).toBe(true);
  });
});
