import type { Detector } from './detector.ts';

/** A planned move came to nothing for a reason that `isHit` looks for. */
const failedBecause =
  (isHit: (reason: string) => boolean): Detector =>
  (_scene, hit) => ({
    logged: {
      migrationFailed({ reason }) {
        if (isHit(reason)) hit();
      },
    },
  });

const isHostGone = (reason: string): boolean => /^its host .* (died|left|started again|hears no leader)$/.test(reason);

/** Planned moves, and what strikes while they are under way. */
export const migrationMarks = {
  'migration-prepared-and-switched': (_scene, hit) => {
    const switched = new Map<string, number>();
    return {
      logged: {
        agentPlaced({ agent, epoch, migration }) {
          if (migration === undefined) switched.delete(agent);
          else switched.set(agent, epoch);
        },
        agentActive({ agent, epoch }) {
          if (switched.get(agent) === epoch) hit();
        },
      },
    };
  },

  'migration-cancelled': (_scene, hit) => ({ logged: { migrationCancelled: () => hit() } }),

  'migration-cancelled-too-late': (_scene, hit) => ({
    answered(_node, _request, { type }, outcome) {
      if (type === 'cancelMigration' && !outcome.ok && outcome.error.code === 'migrationSwitched') hit();
    },
  }),

  'agent-went-on-as-its-target-was-behind': (_scene, hit) => ({
    reported: {
      handoverPutOff(_node, { details }) {
        if (Number(details['lacks']) > 0) hit();
      },
    },
  }),

  'target-died-while-preparing': failedBecause((reason) => / (died|started again|does not answer)$/.test(reason)),
  'host-died-while-preparing': failedBecause(isHostGone),
  'target-could-not-be-prepared': failedBecause((reason) => reason.startsWith('no thread')),

  'leader-changed-while-preparing': (_scene, hit) => {
    /** Agents whose move is under way, and whether the leader changed since. */
    const preparing = new Map<string, boolean>();
    return {
      logged: {
        migrationBegun: ({ agent }) => void preparing.set(agent, false),
        migrationCancelled: ({ agent }) => void preparing.delete(agent),
        migrationFailed: ({ agent }) => void preparing.delete(agent),
        leaderElected() {
          for (const agent of preparing.keys()) preparing.set(agent, true);
        },
        agentPlaced({ agent, migration }) {
          if (migration !== undefined && preparing.get(agent)) hit();
          if (migration !== undefined) preparing.delete(agent);
        },
      },
    };
  },

  'state-taken-on-without-its-bytes': (_scene, hit) => ({
    sent: {
      replicate(_node, { full, epoch, previousEpoch }) {
        if (!full && previousEpoch !== epoch) hit();
      },
    },
  }),
} satisfies Record<string, Detector>;
