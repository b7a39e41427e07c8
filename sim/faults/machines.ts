import type { NodeId } from '../../node/core/message.ts';
import { anyRunning, type Fault, fault, type Scene } from './fault.ts';

function crash(scene: Scene, nodes: readonly NodeId[], how: 'noticed' | 'silent'): void {
  for (const node of nodes) {
    if (scene.world.host(node).state === 'off') continue;
    scene.world.crash(node, how);
    scene.mend(scene.lastsMs * scene.random.between(0.5, 1), () => restart(scene, node));
  }
}

function restart({ world }: Scene, node: NodeId): void {
  if (!world.gone.has(node) && world.host(node).state === 'off') world.restart(node);
}

function some({ world, random }: Scene): NodeId[] {
  return random.shuffle(world.nodes).slice(0, random.below(world.nodes.length) + 1);
}

/** The nodes on the machine of one; it alone where it does not say which that is. */
function neighboursOf({ world }: Scene, node: NodeId): NodeId[] {
  const { machine } = world.host(node).profile;
  return world.nodes.filter((other) => other === node || (machine && world.host(other).profile.machine === machine));
}

/** What happens to whole machines and their processes. */
export const machineFaults = {
  crash: fault('crash', 'a process dies and comes back', (scene) =>
    crash(scene, [scene.random.pick(scene.world.nodes)], 'noticed'),
  ),
  powerLoss: fault('crash', 'a machine loses power and nobody is told', (scene) =>
    crash(scene, [scene.random.pick(scene.world.nodes)], 'silent'),
  ),
  blackout: fault(
    'crash',
    'several machines, or all, lose power at once',
    (scene) => crash(scene, some(scene), scene.random.chance(0.5) ? 'noticed' : 'silent'),
    { everyMsMin: 15_000, everyMsMax: 60_000 },
  ),
  machineLoss: fault(
    'crash',
    'a machine loses power with every node that stands on it',
    (scene) => crash(scene, neighboursOf(scene, scene.random.pick(scene.world.nodes)), 'silent'),
    { everyMsMin: 10_000, everyMsMax: 40_000 },
  ),
  restartWave: fault(
    'crash',
    'one machine after the other is restarted',
    (scene) => {
      for (const [i, node] of scene.random.shuffle(scene.world.nodes).entries()) {
        scene.mend(i * scene.lastsMs, () => {
          scene.world.crash(node);
          scene.mend(scene.random.between(50, scene.lastsMs), () => restart(scene, node));
        });
      }
    },
    { everyMsMin: 20_000, everyMsMax: 60_000, lastsMsMin: 300, lastsMsMax: 2_000 },
  ),
  pause: fault('pause', 'a process stands still while time goes on', (scene) => {
    const node = anyRunning(scene);
    if (node === undefined) return;
    scene.world.pause(node);
    scene.mend(scene.lastsMs, () => scene.world.resume(node));
  }),
  suspend: fault('pause', 'a machine is suspended and wakes up believing that no time has passed', (scene) => {
    const node = anyRunning(scene);
    if (node === undefined) return;
    scene.world.pause(node, true);
    scene.mend(scene.lastsMs, () => scene.world.resume(node));
  }),
  slowNode: fault('pause', 'a machine is overloaded: each event takes it 2 to 20 ms', (scene) => {
    const node = anyRunning(scene);
    if (node === undefined) return;
    const host = scene.world.host(node);
    host.serviceMs = scene.random.between(2, 20);
    scene.world.act('fault', node, `overloaded: each event takes ${host.serviceMs.toFixed(1)} ms`);
    scene.mend(scene.lastsMs, () => {
      scene.world.act('mend', node, 'no longer overloaded');
      host.serviceMs = 0;
    });
  }),
} satisfies Record<string, Fault>;
