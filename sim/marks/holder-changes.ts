import type { NodeId } from '../../node/core/message.ts';
import type { Detector } from './detector.ts';
import type { Scene } from './scene.ts';

/** The host of an agent that answers, and whose placement there is decided anew now; undefined of any other. */
function changing(agent: string, host: NodeId, { ledger }: Scene): NodeId | undefined {
  const { placement, active } = ledger.agents.get(agent) ?? {};
  return active !== undefined && placement?.epoch === active.epoch && active.host === host ? host : undefined;
}

/** Agents keep their host and get other holders: their code goes on, or why it does not. */
export const holderChangeMarks = {
  'went-on-with-other-holders': (_scene, hit) => ({ reported: { agentWentOn: () => hit() } }),

  'went-on-in-the-middle-of-a-task': (_scene, hit) => ({
    reported: {
      agentWentOn(_node, { details }) {
        if (details['busy'] === true) hit();
      },
    },
  }),

  'started-anew-with-other-holders': (scene, hit) => {
    const changes = new Set<string>();
    return {
      logged: {
        agentPlaced({ agent, host, epoch, version }) {
          if (version === undefined && changing(agent, host, scene) !== undefined)
            changes.add(`${host} ${agent} ${epoch}`);
        },
      },
      did: {
        startAgent(node, { agent, epoch }) {
          if (changes.delete(`${node} ${agent} ${epoch}`)) hit();
        },
      },
    };
  },

  'host-died-while-its-holders-changed': (scene, hit) => {
    const changes = new Map<string, NodeId>();
    return {
      logged: {
        agentPlaced({ agent, host }) {
          if (changing(agent, host, scene) === undefined) changes.delete(agent);
          else changes.set(agent, host);
        },
        agentActive: ({ agent }) => void changes.delete(agent),
        agentDeleted: ({ agent }) => void changes.delete(agent),
      },
      ended(node) {
        for (const [agent, host] of changes) {
          if (host !== node) continue;
          changes.delete(agent);
          hit();
        }
      },
    };
  },

  'placed-again-while-its-holders-changed': (scene, hit) => {
    const changes = new Set<string>();
    return {
      logged: {
        agentPlaced({ agent, host }) {
          if (changes.delete(agent)) hit();
          if (changing(agent, host, scene) !== undefined) changes.add(agent);
        },
        agentActive: ({ agent }) => void changes.delete(agent),
        agentDeleted: ({ agent }) => void changes.delete(agent),
      },
    };
  },
} satisfies Record<string, Detector>;
