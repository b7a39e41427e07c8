import type { NodeId } from '../../node/core/message.ts';
import { defaultSettings } from '../../node/core/settings.ts';
import type { Detector } from './detector.ts';
import type { Scene } from './scene.ts';

interface Change {
  before: readonly NodeId[];
  after: readonly NodeId[];
  isRemoval: boolean;
}

/** Others vote than before, in a cluster that has voters. */
const changed =
  (isHit: (change: Change, scene: Scene) => boolean): Detector =>
  (scene, hit) => ({
    logged: {
      votersChanged({ voters: after }) {
        const before = scene.ledger.voters;
        const isRemoval = before.some((voter) => !after.includes(voter));
        const isAddition = after.some((voter) => !before.includes(voter));
        if (before.length === 0 || !(isRemoval || isAddition)) return;
        if (isHit({ before, after, isRemoval }, scene)) hit();
      },
    },
  });

/** Who votes changes. */
export const voterMarks = {
  // Who takes the place of a dead voter comes first, so for a moment there is one more than there should be.
  'voter-replaced': changed(({ before, isRemoval }) => isRemoval && before.length > defaultSettings.votersMax),
  'voter-let-go': changed(({ before, isRemoval }) => isRemoval && before.length <= defaultSettings.votersMax),
  'voters-changed-while-one-was-down': changed(({ after }, scene) => after.some((voter) => !scene.isUp(voter))),

  'heir-of-a-lost-machine-votes': (scene, hit) => {
    const heirs = new Set<NodeId>();
    return {
      started(node, wiped) {
        if (wiped && scene.world.gone.size > 0) heirs.add(node);
      },
      logged: {
        votersChanged({ voters }) {
          for (const voter of voters) if (heirs.delete(voter)) hit();
        },
      },
    };
  },
} satisfies Record<string, Detector>;
