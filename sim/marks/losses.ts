import type { NodeId } from '../../node/core/message.ts';
import { defaultSettings } from '../../node/core/settings.ts';
import type { Detector } from './detector.ts';
import type { Scene } from './scene.ts';

/** Agents that an operator let go on, and that are not placed since. */
function waiting({ ledger }: Scene): string[] {
  const there = [...ledger.agents];
  return there.flatMap(([agent, { placement, wentOnAt = 0 }]) => ((placement?.epoch ?? 0) < wentOnAt ? [agent] : []));
}

/** Whether a node runs the last epoch of an agent that answered. */
function runs({ world, ledger }: Scene, agent: string, node?: NodeId): boolean {
  const epoch = ledger.agents.get(agent)?.active?.epoch;
  const isIt = (other: { node: NodeId; agent: string; epoch: number }): boolean =>
    other.agent === agent && other.epoch === epoch && (node ?? other.node) === other.node;
  return world.instances().some(isIt);
}

/** What operators give up when most holders of an agent are lost, and whom it may surprise. */
export const lossMarks = {
  'loss-accepted': (_scene, hit) => ({ logged: { agentRecovered: () => hit() } }),

  'loss-accepted-while-the-old-host-ran': (scene, hit) => ({
    logged: {
      agentRecovered({ agent }) {
        if (runs(scene, agent)) hit();
      },
    },
  }),

  'old-host-answered-after-the-loss': (scene, hit) => ({
    sent: {
      taskAnswer(node, { agent, ok, branch }) {
        if (ok && branch === undefined && waiting(scene).includes(agent) && runs(scene, agent, node)) hit();
      },
    },
    answered(node, _request, operation, outcome) {
      if (operation.type !== 'task' || !outcome.ok) return;
      if (waiting(scene).includes(operation.agent) && runs(scene, operation.agent, node)) hit();
    },
  }),

  'loss-waited-out': (scene, hit) => {
    const sinceMs = new Map<string, number>();
    return {
      logged: {
        agentRecovered: ({ agent }) => void sinceMs.set(agent, scene.nowMs),
        agentPlaced({ agent }) {
          const atMs = sinceMs.get(agent) ?? Number.POSITIVE_INFINITY;
          if (scene.nowMs - atMs >= defaultSettings.hostSilentMs) hit();
          sinceMs.delete(agent);
        },
      },
    };
  },

  'old-host-said-that-it-stopped': (_scene, hit) => ({ received: { fenceOver: () => hit() } }),

  'leader-changed-between-loss-and-placement': (scene, hit) => ({
    logged: {
      leaderElected() {
        if (waiting(scene).length > 0) hit();
      },
    },
  }),

  'loss-refused-as-the-checkpoint-changed': (_scene, hit) => ({
    answered(_node, _request, { type }, outcome) {
      if (type === 'recoverAgent' && !outcome.ok && outcome.error.code === 'checkpointChanged') hit();
    },
  }),

  'loss-refused-as-enough-came-back': (_scene, hit) => ({
    answered(_node, _request, { type }, outcome) {
      if (type === 'recoverAgent' && !outcome.ok && outcome.error.code === 'agentNotStuck') hit();
    },
  }),

  'leftover-told': (_scene, hit) => ({ reported: { agentLeftover: () => hit() } }),
} satisfies Record<string, Detector>;
