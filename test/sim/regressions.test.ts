import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runConsensusPlan } from '../../sim/consensus/run.ts';
import type { Plan } from '../../sim/plan.ts';
import { runPlan, type Verdict } from '../../sim/run.ts';

/** A run that broke a promise once, as small as the simulator could make it. */
interface Regression {
  /** What was wrong. */
  found: string;
  checker: string;
  plan: Plan;
}

const folder = join(import.meta.dirname, 'regressions');
const filesIn = (place: string): string[] => readdirSync(place).filter((name) => name.endsWith('.json'));

function expectNotBack(file: string, run: (plan: Plan) => Verdict): void {
  const { found, plan } = JSON.parse(readFileSync(file, 'utf8')) as Regression;
  const { ok, violation } = run(plan);
  expect(ok, `${found} Now: ${violation?.checker}: ${violation?.what}`).toBe(true);
}

describe('what was found once is not back', () => {
  test.each(filesIn(folder))('%s', (name) => expectNotBack(join(folder, name), runPlan));
});

describe('nor is what was found in consensus alone', () => {
  const alone = join(folder, 'consensus');
  test.each(filesIn(alone))('%s', (name) => expectNotBack(join(alone, name), runConsensusPlan));
});
