import type { NodeId } from '../../node/core/message.ts';
import type { Detector } from './detector.ts';

/** What takes the place of the log. */
export const snapshotMarks = {
  'snapshot-brought': (scene, hit) => {
    const taken = new Map<NodeId, number>();
    return {
      sent: {
        snapshotReply(node, { installed, index }) {
          if (!installed || (taken.get(node) ?? 0) >= index) return;
          taken.set(node, index);
          if (scene.coveredIndex(node) === index) hit();
        },
      },
    };
  },

  'started-from-a-snapshot': (scene, hit) => ({
    started(node) {
      if (scene.coveredIndex(node) > 0) hit();
    },
  }),
} satisfies Record<string, Detector>;
