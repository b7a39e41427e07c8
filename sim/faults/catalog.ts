import { agentFaults } from './agents.ts';
import { clockFaults } from './clocks.ts';
import { diskFaults } from './disks.ts';
import type { Fault, FaultGroup } from './fault.ts';
import { holderFaults } from './holders.ts';
import { machineFaults } from './machines.ts';
import { networkFaults } from './network.ts';
import { operatorFaults } from './operators.ts';

const all = {
  ...networkFaults,
  ...machineFaults,
  ...diskFaults,
  ...holderFaults,
  ...clockFaults,
  ...agentFaults,
  ...operatorFaults,
};

/** Kinds that strike at moments. */
export type FaultKind = keyof typeof all;

export const faults: Readonly<Record<FaultKind, Fault>> = all;
export const faultKinds = Object.keys(all) as FaultKind[];

/** Kinds that are there all the time in a run that has them, at a rate drawn for it. */
export const ambientKinds = {
  loss: { group: 'network', what: 'frames vanish although the connection lives' },
  delay: { group: 'network', what: 'frames take up to 20 times as long' },
  duplicate: { group: 'network', what: 'frames come a second time, late' },
  reorder: { group: 'network', what: 'frames are overtaken by those behind them' },
  drift: { group: 'clock', what: 'every clock has a rate of its own' },
} as const satisfies Record<string, { group: FaultGroup; what: string }>;

export type AmbientKind = keyof typeof ambientKinds;

/** Everything that `--faults` may name, each with the kinds that it stands for. */
export const faultNames: ReadonlyMap<string, readonly (FaultKind | AmbientKind)[]> = namesOf();

function namesOf(): Map<string, (FaultKind | AmbientKind)[]> {
  const kinds = [...Object.entries(all), ...Object.entries(ambientKinds)] as [FaultKind | AmbientKind, Fault][];
  const names = new Map<string, (FaultKind | AmbientKind)[]>();
  for (const [kind, { group }] of kinds) names.set(group, [...(names.get(group) ?? []), kind]);
  // A kind of the same name as its group says nothing else than the group.
  for (const [kind] of kinds) if (!names.has(kind)) names.set(kind, [kind]);
  return names;
}
