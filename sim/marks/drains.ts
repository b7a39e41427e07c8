import type { NodeId } from '../../node/core/message.ts';
import type { Detector } from './detector.ts';

/** Nodes that are to have nothing any more. */
export const drainMarks = {
  'drain-done': (_scene, hit) => {
    const stopping = new Set<NodeId>();
    return {
      logged: {
        drainBegun: ({ node, stopping: stops }) => void (stops ? stopping.add(node) : stopping.delete(node)),
        drainDone({ node }) {
          if (!stopping.has(node)) hit();
        },
      },
    };
  },

  'drain-undone-on-the-way': (_scene, hit) => {
    const done = new Set<NodeId>();
    return {
      logged: {
        drainBegun: ({ node }) => void done.delete(node),
        drainDone: ({ node }) => void done.add(node),
        drainUndone({ node }) {
          if (!done.delete(node)) hit();
        },
      },
    };
  },

  'drain-overdue': (_scene, hit) => ({ logged: { drainOverdue: () => hit() } }),

  'drain-outlived-a-restart': (_scene, hit) => ({
    logged: {
      memberJoined({ draining }) {
        if (draining) hit();
      },
    },
  }),

  'left-with-nothing-left': (_scene, hit) => {
    const done = new Set<NodeId>();
    return {
      logged: {
        drainBegun: ({ node }) => void done.delete(node),
        drainDone: ({ node }) => void done.add(node),
        memberLeft({ node }) {
          if (done.delete(node)) hit();
        },
      },
    };
  },

  'drained-voter-gave-its-vote': (scene, hit) => ({
    logged: {
      votersChanged({ voters }) {
        const gone = scene.ledger.voters.filter((voter) => !voters.includes(voter));
        const isDrained = (node: NodeId): boolean => {
          const member = scene.ledger.members.get(node);
          return member?.draining === true && member.membership === 'alive';
        };
        if (gone.some(isDrained)) hit();
      },
    },
  }),
} satisfies Record<string, Detector>;
