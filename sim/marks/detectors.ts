import { aheadMarks } from './ahead.ts';
import { autonomyMarks } from './autonomy.ts';
import type { MarkName } from './catalog.ts';
import { copyMarks } from './copies.ts';
import { deletionMarks } from './deletion.ts';
import type { Detector } from './detector.ts';
import { drainMarks } from './drains.ts';
import { electionMarks } from './elections.ts';
import { fencingMarks } from './fencing.ts';
import { holderChangeMarks } from './holder-changes.ts';
import { leaderMarks } from './leaders.ts';
import { letterMarks } from './letters.ts';
import { logMarks } from './log.ts';
import { lossMarks } from './losses.ts';
import { machineMarks } from './machines.ts';
import { membershipMarks } from './membership.ts';
import { migrationMarks } from './migrations.ts';
import { networkMarks } from './network.ts';
import { operationMarks } from './operations.ts';
import { recoveryMarks } from './recovery.ts';
import { rolloutMarks } from './rollouts.ts';
import { snapshotMarks } from './snapshots.ts';
import { stateMarks } from './states.ts';
import { taskMarks } from './tasks.ts';
import { voterMarks } from './voters.ts';

/** Every mark's detector; a mapped type, so that a mark without one does not compile. */
export const detectors: { readonly [K in MarkName]: Detector } = {
  ...electionMarks,
  ...logMarks,
  ...snapshotMarks,
  ...leaderMarks,
  ...voterMarks,
  ...membershipMarks,
  ...recoveryMarks,
  ...holderChangeMarks,
  ...stateMarks,
  ...copyMarks,
  ...fencingMarks,
  ...lossMarks,
  ...letterMarks,
  ...taskMarks,
  ...aheadMarks,
  ...deletionMarks,
  ...machineMarks,
  ...networkMarks,
  ...operationMarks,
  ...drainMarks,
  ...migrationMarks,
  ...autonomyMarks,
  ...rolloutMarks,
};
