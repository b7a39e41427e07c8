import { anyRunning, type Fault, fault } from './fault.ts';

const nodesMax = 12;

/** What operators do at any moment. */
export const operatorFaults = {
  deploy: fault('operator', 'an operator deploys one more agent', ({ operators }) => operators.deploy()),
  remove: fault('operator', 'an operator deletes an agent', ({ operators }) => operators.remove()),
  migrate: fault(
    'operator',
    'an operator moves an agent',
    ({ world, random }) => {
      const agents = world.instances().map(({ agent }) => agent);
      const [node] = random.shuffle(world.running);
      if (agents.length === 0 || node === undefined) return;
      const agent = random.pick(agents);
      const target = random.pick(world.nodes);
      world.act('fault', 'world', `an operator moves ${agent} to ${target}`);
      world.request(node, { type: 'migrate', agent, target });
    },
    { everyMsMin: 1_500, everyMsMax: 15_000 },
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
