import { type Fault, fault, type Scene } from './fault.ts';

const crashEveryMs = 10;

type Instance = ReturnType<Scene['world']['instances']>[number];

function anyInstance({ world, random }: Scene): Instance | undefined {
  const there = world.instances().filter(({ node }) => world.host(node).state === 'running');
  return there.length === 0 ? undefined : random.pick(there);
}

/** An agent that crashes before it has done anything, wherever it is started, for so long. */
function crashAgain(scene: Scene, agent: string, forMs: number): void {
  for (const instance of scene.world.instances()) {
    if (instance.agent !== agent) continue;
    scene.world.host(instance.node).failAgent(agent, instance.epoch, 'it crashed again');
  }
  if (forMs > 0) scene.mend(crashEveryMs, () => crashAgain(scene, agent, forMs - crashEveryMs));
}

/** What happens to agents' own code. */
export const agentFaults = {
  agentCrash: fault('agent', 'an agent instance crashes', (scene) => {
    const instance = anyInstance(scene);
    if (instance === undefined) return;
    const { node, agent, epoch } = instance;
    scene.world.act('fault', node, `${agent} crashes`);
    scene.world.host(node).failAgent(agent, epoch, 'it crashed');
  }),
  agentMemory: fault('agent', 'an agent instance takes more memory than it may', (scene) => {
    const instance = anyInstance(scene);
    if (instance === undefined) return;
    const { node, agent, epoch } = instance;
    scene.world.act('fault', node, `${agent} takes too much memory`);
    scene.world.host(node).failAgent(agent, epoch, 'it needs more than the 128 MB of memory that an agent has');
  }),
  agentHang: fault('agent', 'an agent instance never ends its next task', (scene) => {
    const instance = anyInstance(scene);
    if (instance === undefined) return;
    const { node, agent, epoch } = instance;
    scene.world.act('fault', node, `${agent} hangs`);
    scene.world.host(node).runner?.hang(agent, epoch);
  }),
  agentSlow: fault('agent', 'an agent instance takes 10 to 200 times as long for its tasks', (scene) => {
    const instance = anyInstance(scene);
    if (instance === undefined) return;
    const { node, agent, epoch } = instance;
    const times = Math.round(scene.random.between(10, 200));
    scene.world.act('fault', node, `${agent} is ${times} times as slow`);
    scene.world.host(node).runner?.slow(agent, epoch, times);
    scene.mend(scene.lastsMs, () => scene.world.host(node).runner?.slow(agent, epoch, 1));
  }),
  noRoom: fault(
    'agent',
    'a node can make nothing ready for agents, be it for a move or for other code, which an operator rolls out just then',
    (scene) => {
      const { world, operators, random, lastsMs, mend } = scene;
      const { node } = anyInstance(scene) ?? {};
      const runner = node && world.host(node).runner;
      if (!node || !runner) return;
      world.act('fault', node, 'it can make nothing ready');
      runner.isFull = true;
      if (random.chance(0.6)) operators.upgrade(random);
      mend(lastsMs, () => {
        world.act('mend', node, 'it can make things ready again');
        runner.isFull = false;
      });
    },
    { everyMsMin: 10_000, everyMsMax: 40_000, lastsMsMin: 3_000, lastsMsMax: 12_000 },
  ),
  crashLoop: fault(
    'agent',
    'an agent crashes again and again for a while, wherever it is started',
    (scene) => {
      const instance = anyInstance(scene);
      if (instance === undefined) return;
      scene.world.act('fault', instance.node, `${instance.agent} crashes again and again`);
      crashAgain(scene, instance.agent, scene.lastsMs);
    },
    { everyMsMin: 15_000, everyMsMax: 60_000, lastsMsMin: 100 },
  ),
} satisfies Record<string, Fault>;
