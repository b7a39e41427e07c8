import type { Scenario } from '../../sim/scenario.ts';

/** A leader is cut off with a minority. The others replace it; it must not acknowledge anything that they do not know. */
const splitBrain: Scenario = {
  title: 'Split brain: the leader is cut off with one other node',
  nodes: 5,
  workload: { agents: 3, clients: 4, holders: 5, ttlMs: 1_000 },

  story(stage) {
    stage.settle();
    const leader = stage.leader();
    const [ally = ''] = stage.others(leader);
    const { term } = stage;

    stage.say(`${leader}, which leads, and ${ally} lose the others`);
    stage.partition([[leader, ally]]);
    const tookMs = stage.until('another leader', () => stage.term > term, 5_000);
    stage.say(`${stage.leader()} leads after ${Math.round(tookMs)} ms`);
    for (const agent of stage.agents) {
      stage.progress(10, 15_000, agent);
      stage.expect(`${agent} runs where the majority is`, ![leader, ally].includes(stage.hostOf(agent)));
    }

    stage.say('the cut heals');
    stage.heal();
    stage.settle();
  },
};

export default splitBrain;
