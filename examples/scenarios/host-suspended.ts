import type { Scenario } from '../../sim/scenario.ts';

/** A host is suspended with its clock, so that it wakes up believing that no time has passed and it is still in charge. */
const hostSuspended: Scenario = {
  title: 'A host sleeps for 15 seconds and does not know it',
  nodes: 5,
  workload: { agents: 2, clients: 3 },

  story(stage) {
    stage.settle();
    const [agent = ''] = stage.agents;
    const host = stage.hostOf(agent);

    stage.say(`${host}, the host of ${agent}, is suspended`);
    stage.pause(host, true);
    stage.progress(10, 15_000, agent);
    stage.expect(`${agent} went on elsewhere`, stage.hostOf(agent) !== host);
    stage.run(10_000);

    stage.say(`${host} wakes up`);
    stage.resume(host);
    stage.settle();
  },
};

export default hostSuspended;
