import type { Detector } from './detector.ts';

/** An old host still works while a new one takes over, and what stops it. */
export const fencingMarks = {
  'deposed-by-a-holder': (_scene, hit) => ({
    sent: {
      replicated(_node, { accepted, needsFull }) {
        if (!accepted && !needsFull) hit();
      },
    },
  }),

  'deposed-by-a-read': (_scene, hit) => ({
    sent: {
      confirmed(_node, { standing }) {
        if (!standing) hit();
      },
    },
  }),

  'sealed-while-the-old-host-ran-a-task': (scene, hit) => {
    const seen = new Set<string>();
    return {
      sent: {
        sealed(_node, { agent, epoch, granted }) {
          const key = `${agent}#${epoch}`;
          if (!granted || seen.has(key)) return;
          const isBusy = scene.world
            .instances()
            .some((other) => other.agent === agent && other.epoch < epoch && other.task !== undefined);
          if (!isBusy) return;
          seen.add(key);
          hit();
        },
      },
    };
  },

  'old-host-began-a-task-after-the-new-one': (_scene, hit) => {
    const newest = new Map<string, number>();
    return {
      decided(_node, { agent, epoch }) {
        const known = newest.get(agent) ?? 0;
        if (epoch < known) hit();
        else if (epoch > known) newest.set(agent, epoch);
      },
    };
  },

  'active-when-its-host-was-dead': (scene, hit) => ({
    logged: {
      agentActive({ host }) {
        if (!scene.isUp(host)) hit();
      },
    },
  }),
} satisfies Record<string, Detector>;
