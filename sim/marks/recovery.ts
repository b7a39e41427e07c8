import type { Detector } from './detector.ts';
import type { Scene } from './scene.ts';

/** A placement was decided for a reason that `isHit` looks for. */
const placedBecause =
  (isHit: (reason: string) => boolean): Detector =>
  (_scene, hit) => ({
    logged: {
      agentPlaced({ reason }) {
        if (isHit(reason)) hit();
      },
    },
  });

/** Whether the placement before was decided, and never became active. */
function isSuperseding(agent: string, { ledger }: Scene): boolean {
  const before = ledger.agents.get(agent);
  return before?.placement !== undefined && before.active?.epoch !== before.placement.epoch;
}

/** How an agent comes to another host, or to other holders, when not all goes well. */
export const recoveryMarks = {
  'recovery-timed-out': placedBecause((reason) => reason === 'its recovery did not end in time'),
  'holders-moved-further-apart': placedBecause((reason) => reason.startsWith('its holders can be on more')),
  'given-up-by-its-host': placedBecause((reason) => reason.startsWith('its host gave it up')),

  'crash-loop-told': (_scene, hit) => ({ logged: { agentCrashLooping: () => hit() } }),
  'crash-loop-over': (_scene, hit) => ({ logged: { agentHealed: () => hit() } }),

  'crash-loop-went-on-at-another-host': (_scene, hit) => {
    const epochs = new Map<string, number>();
    return {
      logged: {
        agentCrashLooping({ agent, epoch }) {
          if ((epochs.get(agent) ?? epoch) !== epoch) hit();
          epochs.set(agent, epoch);
        },
        agentHealed: ({ agent }) => void epochs.delete(agent),
        agentDeleted: ({ agent }) => void epochs.delete(agent),
      },
    };
  },

  'recovery-begun-anew-three-times': (scene, hit) => {
    const rows = new Map<string, number>();
    return {
      logged: {
        agentPlaced({ agent }) {
          const row = isSuperseding(agent, scene) ? (rows.get(agent) ?? 0) + 1 : 0;
          rows.set(agent, row);
          if (row === 3) hit();
        },
      },
    };
  },

  'moved-agent-lost-its-new-host': (scene, hit) => {
    const reasons = new Map<string, string>();
    return {
      logged: {
        agentPlaced({ agent, reason }) {
          if (reasons.get(agent) === 'moved by an operator' && isSuperseding(agent, scene)) hit();
          reasons.set(agent, reason);
        },
      },
    };
  },

  'checkpoint-of-an-older-epoch-passed-over': (scene, hit) => {
    /** Epoch of the first checkpoint that each recovery was handed; 0 when it was counted. */
    const first = new Map<string, number>();
    return {
      received: {
        sealed(_node, { agent, epoch, granted, checkpoint }) {
          if (!granted || checkpoint === undefined || scene.ledger.placement(agent, epoch) === undefined) return;
          const key = `${agent}#${epoch}`;
          const one = first.get(key);
          if (one === undefined) first.set(key, checkpoint.epoch);
          else if (one !== 0 && one !== checkpoint.epoch) {
            first.set(key, 0);
            hit();
          }
        },
      },
    };
  },

  'agent-of-a-lost-machine-recovered': (scene, hit) => ({
    logged: {
      agentActive({ agent }) {
        const before = scene.ledger.agents.get(agent)?.active;
        if (before !== undefined && scene.world.gone.has(before.host)) hit();
      },
    },
  }),

  'holder-needed-the-whole-state': (_scene, hit) => ({
    sent: {
      replicated(_node, { needsFull }) {
        if (needsFull) hit();
      },
    },
  }),

  'no-node-could-take-it': (_scene, hit) => ({ logged: { agentPending: hit } }),

  'move-refused-during-a-recovery': (_scene, hit) => ({
    answered(_node, _request, { type }, outcome) {
      if (type === 'migrate' && !outcome.ok && outcome.error.code === 'agentBusyMoving') hit();
    },
  }),
} satisfies Record<string, Detector>;
