import type { Scenario } from '../../sim/scenario.ts';

/** Every node is stopped in good order and started again, one after the other, while tasks flow. */
const rollingRestart: Scenario = {
  title: 'A rolling restart of all nodes',
  nodes: 3,
  workload: { agents: 4, clients: 4, ttlMs: 10_000 },

  story(stage) {
    stage.settle();
    for (const node of stage.nodes) {
      stage.say(`${node} is asked to stop`);
      stage.drain(node);
      stage.run(6_000);
      stage.restart(node);
      stage.settle();
      stage.progress(20, 10_000);
    }
  },
};

export default rollingRestart;
