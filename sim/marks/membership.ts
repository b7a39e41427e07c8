import type { NodeId } from '../../node/core/message.ts';
import type { Detector } from './detector.ts';

/** Who is thought to be alive, rightly or wrongly. */
export const membershipMarks = {
  'node-died-before-the-cluster-was-founded': (_scene, hit) => {
    let isFounded = false;
    return {
      reported: {
        clusterFounded() {
          isFounded = true;
        },
      },
      ended() {
        if (!isFounded) hit();
      },
    };
  },

  'admitted-again-after-a-false-death': (_scene, hit) => {
    const dead = new Map<NodeId, number>();
    return {
      logged: {
        memberDead: ({ node, boot }) => void dead.set(node, boot),
        memberJoined({ node, boot }) {
          if (dead.get(node) === boot) hit();
        },
      },
    };
  },

  'refutation-learned-from-an-accusation': (scene, hit) => {
    /** What each node was told of the incarnation of another's life. */
    const known = new Map<NodeId, Map<string, number>>();
    const learn = (node: NodeId, about: string, incarnation: number): void => {
      let mine = known.get(node);
      if (mine === undefined) known.set(node, (mine = new Map()));
      mine.set(about, Math.max(mine.get(about) ?? 0, incarnation));
    };
    return {
      started: (node) => void known.delete(node),
      received: {
        hello: (node, { boot, incarnation }, from) => learn(node, `${from}/${boot}`, incarnation),
        rumor(node, { accuser, subject, boot, suspect, incarnation }) {
          if (incarnation === 0 || subject === node) return;
          const about = `${subject}/${boot}`;
          const before = known.get(node)?.get(about) ?? 0;
          const isMember = scene.ledger.members.get(subject)?.boot === boot;
          if (suspect && accuser !== subject && incarnation > before && isMember) hit();
          learn(node, about, incarnation);
        },
      },
    };
  },

  'hung-up-on-a-stale-link': (scene, hit) => ({
    did: {
      hangUp(node, { node: other }) {
        const { network } = scene.world;
        const isMended = network.reaches(node, other) && network.reaches(other, node);
        if (isMended && scene.isUp(other) && scene.ledger.members.get(other)?.membership === 'alive') hit();
      },
    },
  }),

  'silent-host-lost-its-agents': (_scene, hit) => ({
    logged: {
      agentPlaced({ reason }) {
        if (reason.endsWith('hears no leader')) hit();
      },
    },
  }),
} satisfies Record<string, Detector>;
