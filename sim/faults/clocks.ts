import { type Fault, fault } from './fault.ts';

/** What happens to clocks. Each has a rate of its own in any case, where a run says so. */
export const clockFaults = {
  clockStep: fault('clock', 'a wall clock is set forward or back by up to an hour', ({ world, random }) => {
    const node = random.pick(world.nodes);
    const byMs = Math.round(random.between(-3_600_000, 3_600_000));
    world.act('fault', node, `its wall clock steps by ${byMs} ms`);
    world.host(node).clock.step(byMs);
  }),
  clockRate: fault('clock', 'a clock goes up to a fifth too fast or too slow for a while', (scene) => {
    const { world, random } = scene;
    const node = random.pick(world.nodes);
    const { clock } = world.host(node);
    const before = clock.rate;
    const rate = random.between(0.8, 1.2);
    world.act('fault', node, `its clock goes ${rate.toFixed(2)} times as fast`);
    clock.setRate(rate, world.nowMs);
    scene.mend(scene.lastsMs, () => {
      world.act('mend', node, 'its clock has its usual rate');
      clock.setRate(before, world.nowMs);
    });
  }),
} satisfies Record<string, Fault>;
