import type { Runner } from './ports.ts';

/** One runner made of two: what has an interpreter runs as a process, everything else in a thread. */
export function createAgentRunner(workers: Runner, processes: Runner): Runner {
  const both = [workers, processes];
  const stop = (agent: string, epoch: number): void => {
    for (const runner of both) runner.stop(agent, epoch);
  };
  return {
    start(instance) {
      stop(instance.agent, instance.epoch);
      (instance.interpreter === undefined ? workers : processes).start(instance);
    },
    // Only one of them knows the instance.
    run(agent, epoch, task, payload) {
      for (const runner of both) runner.run(agent, epoch, task, payload);
    },
    cancel(agent, epoch, task) {
      for (const runner of both) runner.cancel(agent, epoch, task);
    },
    stop,
    async stopAll() {
      await Promise.all(both.map((runner) => runner.stopAll()));
    },
  };
}
