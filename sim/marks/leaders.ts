import { entryKinds } from '../../consensus/entry.ts';
import type { Detector } from './detector.ts';

/** The leader dies in the middle of something that the next one has to end. */
export const leaderMarks = {
  'leader-died-during-a-recovery': (scene, hit) => ({
    ended(node) {
      const agents = [...scene.ledger.agents.values()];
      if (scene.isLeading(node) && agents.some(({ placement, active }) => placement?.epoch !== active?.epoch)) hit();
    },
  }),

  'leader-died-before-it-placed-the-agents-of-the-dead': (scene, hit) => ({
    ended(node) {
      const { agents, members } = scene.ledger;
      const hosts = [...agents.values()].flatMap(({ placement }) => placement?.host ?? []);
      if (scene.isLeading(node) && hosts.some((host) => members.get(host)?.membership !== 'alive')) hit();
    },
  }),

  'leader-died-before-its-first-commit': (scene, hit) => {
    let elected = 0;
    return {
      logged: {
        leaderElected({ term }) {
          elected = term;
        },
      },
      ended(node) {
        if (scene.isLeading(node) && scene.term > elected) hit();
      },
    };
  },

  'leader-died-while-it-changed-the-configuration': (scene, hit) => {
    let proposed = 0;
    return {
      sent: {
        appendRequest(_node, { entries }) {
          for (const { index, kind } of entries) if (kind === entryKinds.configuration) proposed = index;
        },
      },
      ended(node) {
        if (scene.isLeading(node) && proposed > (scene.led(node)?.commitIndex ?? 0)) hit();
      },
    };
  },
} satisfies Record<string, Detector>;
