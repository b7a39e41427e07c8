import { type AmbientKind, ambientKinds, type FaultKind, faultKinds, faults } from '../faults/catalog.ts';
import type { FaultGroup } from '../faults/fault.ts';
import { drawPlan, type Plan, type Wishes } from '../plan.ts';

const groups: ReadonlySet<FaultGroup> = new Set(['network', 'partition', 'crash', 'pause', 'disk', 'clock', 'wipe']);

/** What can go wrong where there are no agents and no operators. */
export const consensusFaults: readonly (FaultKind | AmbientKind)[] = [
  ...faultKinds.filter((kind) => groups.has(faults[kind].group)),
  ...(Object.keys(ambientKinds) as AmbientKind[]),
];

/** Draws a run of consensus alone: a plan like any other, with the faults that there are for it. */
export function drawConsensusPlan(seed: string, wishes: Wishes = {}): Plan {
  const wanted = wishes.faults ?? consensusFaults;
  const plan = drawPlan(seed, { ...wishes, faults: consensusFaults.filter((kind) => wanted.includes(kind)) });
  return { ...plan, alone: 'consensus' };
}
