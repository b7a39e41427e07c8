import { anyRunning, type Fault, fault } from './fault.ts';

const nodesMax = 12;

/** What operators do at any moment. */
export const operatorFaults = {
  deploy: fault('operator', 'an operator deploys one more agent', ({ operators }) => operators.deploy()),
  remove: fault('operator', 'an operator deletes an agent', ({ operators }) => operators.remove()),
  migrate: fault(
    'operator',
    'an operator moves an agent, and takes it back now and then',
    ({ world, random }) => {
      const agents = world.instances().map(({ agent }) => agent);
      const [node] = random.shuffle(world.running);
      if (agents.length === 0 || node === undefined) return;
      const agent = random.pick(agents);
      const target = random.pick(world.nodes);
      world.act('fault', 'world', `an operator moves ${agent} to ${target}`);
      world.request(node, { type: 'migrate', agent, target });
      // Now and then it is taken back, at any moment of the way.
      if (!random.chance(0.3)) return;
      const door = random.pick(world.running);
      world.timeline.after(random.pick([1, 10, 30, 60, 120, 400]) * random.between(0.5, 1.5), () => {
        if (world.host(door).state === 'off') return;
        world.act('fault', 'world', `an operator cancels the move of ${agent}`);
        world.request(door, { type: 'cancelMigration', agent });
      });
    },
    { everyMsMin: 1_500, everyMsMax: 15_000 },
  ),
  upgrade: fault(
    'operator',
    'an operator rolls out another version of the agents, which may be broken, or the one before, and takes it back now and then',
    ({ operators, random, mend }) => {
      operators.upgrade(random);
      if (random.chance(0.2)) mend(random.between(10, 5_000), () => operators.cancelUpgrade());
    },
    { everyMsMin: 3_000, everyMsMax: 15_000 },
  ),
  drain: fault(
    'operator',
    'a node is asked to stop: its leadership and its agents go to others; later it comes back',
    (scene) => {
      const { world } = scene;
      const node = anyRunning(scene);
      if (node === undefined) return;
      world.stop(node);
      scene.mend(5_000 + scene.lastsMs, () => {
        if (!world.gone.has(node) && world.host(node).state === 'off') world.restart(node);
      });
    },
  ),
  evacuate: fault(
    'operator',
    'an operator drains a node, and sooner or later undoes it',
    ({ world, operators, random, lastsMs, mend }) => {
      const node = random.pick(world.nodes);
      const deadlineMs = random.pick([undefined, 300, 2_000, 20_000]);
      world.act('fault', node, `an operator drains it${deadlineMs === undefined ? '' : ` within ${deadlineMs} ms`}`);
      operators.ask({ type: 'drain', node, ...(deadlineMs !== undefined && { deadlineMs }) });
      // Also in the midst of it.
      mend(random.pick([100, 1_000, 4_000 + lastsMs]), () => {
        world.act('mend', node, 'an operator undoes its drain');
        operators.ask({ type: 'undrain', node });
      });
    },
    { everyMsMin: 6_000, everyMsMax: 25_000 },
  ),
  lead: fault(
    'operator',
    'an operator has another node lead',
    ({ world, operators, random }) => {
      const node = random.pick(world.nodes);
      world.act('fault', node, 'an operator wants it to lead');
      operators.ask({ type: 'lead', node });
    },
    { everyMsMin: 4_000, everyMsMax: 30_000 },
  ),
  scale: fault(
    'operator',
    'one more node joins',
    ({ world }) => {
      if (world.nodes.length >= nodesMax) return;
      world.act('fault', world.addNode(), 'one more node');
    },
    { everyMsMin: 20_000, everyMsMax: 90_000 },
  ),
} satisfies Record<string, Fault>;
