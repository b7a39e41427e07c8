import type { NodeId } from '../../node/core/message.ts';
import type { Detector } from './detector.ts';

/** How agents end, and what comes after them. */
export const deletionMarks = {
  'deleted-during-a-recovery': (scene, hit) => ({
    logged: {
      agentDeleted({ agent }) {
        const { placement, active } = scene.ledger.agents.get(agent) ?? {};
        if (placement !== undefined && placement.epoch !== active?.epoch) hit();
      },
    },
  }),

  'gone-while-a-holder-was-down': (scene, hit) => {
    const holders = new Map<string, readonly NodeId[]>();
    return {
      logged: {
        agentDeleted: ({ agent }) => void holders.set(agent, scene.ledger.agents.get(agent)?.active?.holders ?? []),
        agentGone({ agent }) {
          if (holders.get(agent)?.some((holder) => !scene.isUp(holder))) hit();
          holders.delete(agent);
        },
      },
    };
  },

  'name-taken-again': (_scene, hit) => {
    const gone = new Set<string>();
    return {
      logged: {
        agentGone: ({ agent }) => void gone.add(agent),
        agentsCreated({ agents = [] }) {
          if (agents.some((agent) => gone.delete(agent))) hit();
        },
      },
    };
  },
} satisfies Record<string, Detector>;
