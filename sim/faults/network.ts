import type { NodeId } from '../../node/core/message.ts';
import { type Fault, fault, type Scene } from './fault.ts';
import { splitAgain } from './split-again.ts';

function twoNodes({ world, random }: Scene): [NodeId, NodeId] | undefined {
  const [one, other] = random.shuffle(world.nodes);
  return one === undefined || other === undefined ? undefined : [one, other];
}

/** Cuts the nodes into this many groups. */
function split(scene: Scene, parts: number): void {
  const { world, random, lastsMs } = scene;
  if (world.nodes.length < parts) return;
  const shuffled = random.shuffle(world.nodes);
  const groups: NodeId[][] = Array.from({ length: parts }, () => []);
  for (const [i, node] of shuffled.entries()) groups[i < parts ? i : random.below(parts)]?.push(node);
  const cut = world.partition(groups, random.chance(0.5) ? 'held' : 'lost');
  scene.mend(lastsMs, () => world.mend(cut));
}

/** What happens between machines. Loss, doubles and delays of single frames are settings of a run's network. */
export const networkFaults = {
  partition: fault('partition', 'the nodes are cut in two, silently', (scene) => split(scene, 2)),
  split: fault('partition', 'the nodes are cut into three groups or more', (scene) =>
    split(scene, 3 + scene.random.below(2)),
  ),
  splitAgain: fault('partition', 'a side without a majority splits once more, and parts of it meet again', splitAgain, {
    everyMsMin: 15_000,
    everyMsMax: 60_000,
    lastsMsMin: 0,
    lastsMsMax: 4_000,
  }),
  oneWay: fault('partition', 'one direction between two nodes is cut', (scene) => {
    const pair = twoNodes(scene);
    if (pair === undefined) return;
    const cut = scene.world.cut(...pair);
    scene.mend(scene.lastsMs, () => scene.world.mend(cut));
  }),
  isolate: fault('partition', 'one node no longer hears the others, or they no longer hear it', (scene) => {
    const { world, random } = scene;
    const node = random.pick(world.nodes);
    const mute = random.chance(0.5);
    const others = world.nodes.filter((other) => other !== node);
    const cuts = others.map((other) => (mute ? world.cut(node, other) : world.cut(other, node)));
    scene.mend(scene.lastsMs, () => cuts.forEach((cut) => world.mend(cut)));
  }),
  reset: fault('network', 'a connection closes, and both ends hear of it', (scene) => {
    const pair = twoNodes(scene);
    if (pair === undefined) return;
    scene.world.act('fault', 'world', `reset between ${pair.join(' and ')}`);
    scene.world.network.reset(...pair);
  }),
  halfReset: fault('network', 'one end loses a connection, the other is not told', (scene) => {
    const pair = twoNodes(scene);
    if (pair === undefined) return;
    scene.world.act('fault', 'world', `${pair[0]} loses its connection to ${pair[1]}, which is not told`);
    scene.world.network.halfReset(...pair);
  }),
  slowLink: fault('network', 'everything between two nodes takes 10 to 300 times as long', (scene) => {
    const pair = twoNodes(scene);
    if (pair === undefined) return;
    const times = Math.round(scene.random.between(10, 300));
    scene.world.act('fault', 'world', `frames between ${pair.join(' and ')} take ${times} times as long`);
    scene.world.network.slow(...pair, times);
    scene.mend(scene.lastsMs, () => {
      scene.world.act('mend', 'world', `frames between ${pair.join(' and ')} take their usual time`);
      scene.world.network.slow(...pair, 1);
    });
  }),
} satisfies Record<string, Fault>;
