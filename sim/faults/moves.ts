import type { NodeId } from '../../node/core/message.ts';
import type { Scene } from './fault.ts';

const lookMs = 5;
/** What does not come within this long does not come soon, ms. */
export const soonMs = 4_000;

/** Counters whose epoch is active, that have holders beside their host. */
export function hosted({ world, losses, random }: Scene) {
  return random.shuffle([...losses.ledger.agents]).flatMap(([agent, { type, active, placement }]) => {
    if (type !== 'counter' || active === undefined || active !== placement || active.holders.length < 2) return [];
    // Who leads would be no leader any more when it hears nothing.
    if (active.host === losses.ledger.leader) return [];
    return world.host(active.host).state === 'running' ? [{ agent, ...active }] : [];
  });
}

/** Does something as soon as it is time for it, if that comes soon. */
export function soon(scene: Scene, isTime: () => boolean, then: () => void, forMs = soonMs): void {
  if (isTime()) then();
  else if (forMs > 0) scene.mend(lookMs, () => soon(scene, isTime, then, forMs - lookMs));
}

/** One way, or both: returns what takes it back before its time. */
export function separate(
  { world, mend }: Scene,
  from: readonly NodeId[],
  to: readonly NodeId[],
  forMs: number,
): () => void {
  let cuts = from.flatMap((one) => to.filter((other) => other !== one).map((other) => world.cut(one, other)));
  const heal = (): void => {
    for (const cut of cuts) world.mend(cut);
    cuts = [];
  };
  mend(forMs, heal);
  return heal;
}

/** A process dies, and comes back after a while. */
export function crashFor({ world, mend }: Scene, node: NodeId, forMs: number): void {
  if (world.host(node).state !== 'running') return;
  world.crash(node);
  mend(forMs, () => {
    if (!world.gone.has(node) && world.host(node).state === 'off') world.restart(node);
  });
}
