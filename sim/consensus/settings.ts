import type { SessionLimits } from '../../consensus/sessions.ts';
import type { Random } from '../random.ts';

/** How the nodes of consensus alone keep their log: small, so that a minute sees many snapshots. */
export interface ConsensusSettings {
  compactEntries: number;
  keptEntries: number;
  snapshotChunkBytes: number;
  directLearnersMin: number;
  commitToldMsMax?: number;
  sessions: SessionLimits;
}

export function drawSettings(random: Random): ConsensusSettings {
  return {
    compactEntries: random.pick([5, 20, 100, 1_000_000]),
    keptEntries: random.pick([0, 3, 20]),
    snapshotChunkBytes: random.pick([64, 200, 10_000]),
    directLearnersMin: random.pick([1, 2, 16]),
    commitToldMsMax: random.pick([0, 5, 30]),
    sessions: { sessionsMax: random.pick([3, 100]), resultsMax: 4, idleEntriesMax: random.pick([30, 1_000_000]) },
  };
}
