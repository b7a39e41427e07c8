import type { DiskTrouble } from '../disk.ts';
import { anyRunning, type Fault, fault, type Scene } from './fault.ts';
import { crashFor, hosted } from './moves.ts';

const holderReplacedMs = 4_000;
const pokeEveryMs = 100;

/** An agent gets another holder while its host, which is busy, is the last to have anything on disk. */
function changeHoldersSlowly(scene: Scene): void {
  const { world, losses, random, lastsMs, mend } = scene;
  const found = hosted(scene).find(({ holders }) => holders.length >= 3);
  const lost =
    found && random.shuffle(found.holders).find((node) => ![found.host, losses.ledger.leader].includes(node));
  if (found === undefined || lost === undefined) return;
  const { agent, host } = found;
  const { disk } = world.host(host);
  world.act('fault', host, `its disk is slow while ${agent}, which it runs, loses ${lost}`);
  disk.slowness = random.between(20, 300);
  crashFor(scene, lost, holderReplacedMs + lastsMs);
  for (let atMs = 0; atMs < holderReplacedMs; atMs += pokeEveryMs) mend(atMs, () => scene.poke(agent, host));
  mend(holderReplacedMs + lastsMs / 2, () => {
    world.act('mend', host, 'its disk has its usual speed');
    disk.slowness = 1;
  });
}

function trouble(scene: Scene, kind: DiskTrouble): void {
  const node = anyRunning(scene);
  if (node === undefined) return;
  const { world } = scene;
  world.setDiskTrouble(node, kind);
  scene.mend(scene.lastsMs, () => {
    if (world.gone.has(node)) return;
    world.setDiskTrouble(node, undefined);
    // A failed write is final for its process: somebody has to start it again.
    if (world.host(node).state === 'off') world.restart(node);
  });
}

/** What happens to disks. Torn and lost batches come with every crash. */
export const diskFaults = {
  slowDisk: fault('disk', 'syncs of one disk take 5 to 100 times as long', (scene) => {
    const node = anyRunning(scene);
    if (node === undefined) return;
    const { disk } = scene.world.host(node);
    disk.slowness = scene.random.between(5, 100);
    scene.world.act('fault', node, `its disk is ${Math.round(disk.slowness)} times as slow`);
    scene.mend(scene.lastsMs, () => {
      scene.world.act('mend', node, 'its disk has its usual speed');
      disk.slowness = 1;
    });
  }),
  slowHost: fault('disk', 'a holder of an agent dies while the disk of its host is slow', changeHoldersSlowly, {
    everyMsMin: 8_000,
    everyMsMax: 25_000,
    lastsMsMin: 1_000,
    lastsMsMax: 4_000,
  }),
  diskError: fault('disk', 'every write to one disk fails, which ends the process', (scene) => trouble(scene, 'error')),
  diskFull: fault('disk', 'one disk is full, which ends the process', (scene) => trouble(scene, 'full')),
  bitRot: fault(
    'disk',
    'a bit of a stored record turns while the machine is off; it is replaced by a new one',
    (scene) => {
      const { world, losses, random } = scene;
      const node = random.pick(world.nodes);
      if (!losses.mayLose(node)) return;
      losses.damage(node);
      world.crash(node);
      const key = world.host(node).disk.rot(random);
      world.act('fault', node, `a bit of its record "${key}" turned`);
      scene.mend(scene.lastsMs / 2, () => {
        if (world.host(node).state === 'off') world.restart(node);
      });
      // It must not run on what it has; the operator gives up on it.
      scene.mend(scene.lastsMs, () => world.replace(node));
    },
    { everyMsMin: 20_000, everyMsMax: 90_000 },
  ),
  wipe: fault(
    'wipe',
    'a machine is lost with its disk, and an empty one starts at its address',
    (scene) => {
      const { world, losses, random } = scene;
      const node = random.pick(world.nodes);
      if (losses.mayLose(node)) world.replace(node, random.between(0, scene.lastsMs));
    },
    { everyMsMin: 20_000, everyMsMax: 90_000 },
  ),
} satisfies Record<string, Fault>;
