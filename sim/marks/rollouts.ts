import type { Detector } from './detector.ts';

/** A rollout went back for a reason that `isHit` looks for. */
const turnedBecause =
  (isHit: (reason: string) => boolean): Detector =>
  (_scene, hit) => ({
    logged: {
      rolloutTurned({ reason }) {
        if (isHit(reason)) hit();
      },
    },
  });

/** New versions of agents' code, and what strikes while they are rolled out. */
export const rolloutMarks = {
  'rollout-went-on-without-an-agent': (_scene, hit) => ({ logged: { rolloutLeft: () => hit() } }),

  'rollout-complete': (_scene, hit) => ({
    logged: {
      rolloutEnded({ outcome }) {
        if (outcome === 'complete') hit();
      },
    },
  }),

  'rolled-back': (_scene, hit) => ({
    logged: {
      rolloutEnded({ outcome, stays }) {
        if (outcome === 'rolledBack' && stays.length === 0) hit();
      },
    },
  }),

  'rolled-back-at-the-start': turnedBecause((reason) => reason.startsWith('its module cannot be used')),
  'rolled-back-at-migrate': turnedBecause((reason) => /cannot be migrated/.test(reason)),
  'rolled-back-because-of-tasks': turnedBecause((reason) => /^it failed \d+ times: it is broken/.test(reason)),
  'rolled-back-as-it-refused-its-tasks': turnedBecause((reason) => /^it refused (all|the one)/.test(reason)),
  'rolled-back-by-an-operator': turnedBecause((reason) => reason === 'an operator cancelled it'),
  'new-version-could-not-be-prepared': turnedBecause((reason) => reason.startsWith('no thread')),

  'agent-stayed-on-a-version': (_scene, hit) => ({
    logged: {
      rolloutEnded({ stays }) {
        if (stays.length > 0) hit();
      },
    },
  }),

  'state-brought-back': (scene, hit) => {
    const back = new Set<string>();
    return {
      did: {
        startAgent(_node, { agent, epoch, change }) {
          if (change?.newer !== undefined) back.add(`${agent}#${epoch}`);
        },
      },
      logged: {
        agentActive({ agent, epoch }) {
          if (scene.ledger.placement(agent, epoch) !== undefined && back.has(`${agent}#${epoch}`)) hit();
        },
      },
    };
  },

  'leader-changed-during-a-rollout': (_scene, hit) => {
    const types = new Map<string, boolean>();
    return {
      logged: {
        rolloutBegun({ type, since }) {
          if (since !== undefined) types.set(type, false);
        },
        leaderElected() {
          for (const type of types.keys()) types.set(type, true);
        },
        rolloutEnded({ type }) {
          if (types.get(type)) hit();
          types.delete(type);
        },
      },
    };
  },

  'host-died-during-an-upgrade': (scene, hit) => {
    /** Agents that are upgraded and watched. */
    const watched = new Set<string>();
    return {
      logged: {
        agentPlaced({ agent, version }) {
          const before = scene.ledger.agents.get(agent)?.placement;
          if (version !== undefined) watched.add(agent);
          else if (watched.has(agent) && before !== undefined && !scene.isUp(before.host)) hit();
        },
        rolloutSettled: ({ agent }) => void watched.delete(agent),
        rolloutEnded: () => watched.clear(),
      },
    };
  },
} satisfies Record<string, Detector>;
