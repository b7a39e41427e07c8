import type { Runner } from './ports.ts';

export interface AgentRunnerInit {
  workers: Runner;
  processes: Runner;
  /** None where the operator allows no containers. */
  containers: Runner | undefined;
  failed(agent: string, epoch: number, reason: string): void;
}

/** One runner made of those that run what has an interpreter, what has a container, and everything else. */
export function createAgentRunner({ workers, processes, containers, failed }: AgentRunnerInit): Runner {
  const all = [workers, processes, ...(containers === undefined ? [] : [containers])];
  const stop = (agent: string, epoch: number): void => {
    for (const runner of all) runner.stop(agent, epoch);
  };
  return {
    start(instance) {
      const { agent, epoch, interpreter, container } = instance;
      stop(agent, epoch);
      if (container === undefined) (interpreter === undefined ? workers : processes).start(instance);
      else if (containers !== undefined) containers.start(instance);
      else setImmediate(() => failed(agent, epoch, 'it cannot be started: this node runs no containers'));
    },
    // Only one of them knows the instance.
    run(agent, epoch, task, payload, how) {
      for (const runner of all) runner.run(agent, epoch, task, payload, how);
    },
    recall(agent, epoch) {
      for (const runner of all) runner.recall(agent, epoch);
    },
    cancel(agent, epoch, task) {
      for (const runner of all) runner.cancel(agent, epoch, task);
    },
    stop,
    renew(agent, from, epoch) {
      for (const runner of all) runner.renew(agent, from, epoch);
    },
    prepare(what) {
      if (what.container !== undefined) containers?.prepare(what);
      else (what.interpreter === undefined ? workers : processes).prepare(what);
    },
    release(agent, migration) {
      for (const runner of all) runner.release(agent, migration);
    },
    async stopAll() {
      await Promise.all(all.map((runner) => runner.stopAll()));
    },
  };
}
