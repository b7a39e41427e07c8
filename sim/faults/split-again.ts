import type { NodeId } from '../../node/core/message.ts';
import type { Scene } from './fault.ts';

/** Long enough for a side to find that it hears no majority, and for a branch to begin, ms. */
const phaseMs = 4_000;

/**
 * Some nodes hear no majority. They split once more, so that both parts go on with what they keep, and then some of
 * both meet, while the others and the majority are still out of reach.
 */
export function splitAgain(scene: Scene): void {
  const { world, random, losses, lastsMs } = scene;
  const nodes = random.shuffle(world.nodes);
  const side = nodes.slice(0, Math.floor((nodes.length - 1) / 2));
  const rest = nodes.slice(side.length);
  if (side.length < 2 || !losses.isQuorum(new Set(rest))) return;
  const [one, other, ...others] = side as [NodeId, NodeId, ...NodeId[]];
  const cut = world.partition([side, rest]);
  scene.mend(phaseMs, () => {
    const parts = world.partition([[one], [other, ...others]]);
    scene.mend(phaseMs + lastsMs, () => {
      world.mend(parts);
      const meeting = others.length === 0 ? [] : world.partition([[one, other], others]);
      scene.mend(phaseMs, () => {
        world.mend(meeting);
        world.mend(cut);
      });
    });
  });
}
