import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Plan } from '../../sim/plan.ts';
import { runPlan } from '../../sim/run.ts';

/** A run that broke a promise once, as small as the simulator could make it. */
interface Regression {
  /** What was wrong. */
  found: string;
  checker: string;
  plan: Plan;
}

const folder = join(import.meta.dirname, 'regressions');

describe('what was found once is not back', () => {
  test.each(readdirSync(folder))('%s', (file) => {
    const { found, plan } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Regression;
    const { ok, violation } = runPlan(plan);
    expect(ok, `${found} Now: ${violation?.checker}: ${violation?.what}`).toBe(true);
  });
});
