import type { NodeId } from '../../node/core/message.ts';
import type { Detector } from './detector.ts';

const keyOf = (node: NodeId, { agent, epoch }: { agent: string; epoch: number }): string => `${node} ${agent}#${epoch}`;

/** By node and instance: what its code was given, and has neither done nor given back. */
const given =
  (
    look: (hit: () => void) => {
      also?: (tasks: ReadonlySet<string>) => void;
      crashed?: (tasks: ReadonlySet<string>) => void;
    },
  ): Detector =>
  (_scene, hit) => {
    const { also, crashed } = look(hit);
    const byInstance = new Map<string, Set<string>>();
    return {
      decided(node, effect) {
        const key = keyOf(node, effect);
        const tasks = byInstance.get(key) ?? new Set();
        byInstance.set(key, tasks.add(effect.task));
        also?.(tasks);
      },
      happened: {
        taskRan: (node, event) => void byInstance.get(keyOf(node, event))?.delete(event.task),
        tasksReturned(node, event) {
          for (const task of event.tasks) byInstance.get(keyOf(node, event))?.delete(task);
        },
        agentFailed(node, event) {
          const key = keyOf(node, event);
          crashed?.(byInstance.get(key) ?? new Set());
          byInstance.delete(key);
        },
      },
      ended(node) {
        for (const key of byInstance.keys()) if (key.startsWith(`${node} `)) byInstance.delete(key);
      },
    };
  };

/** What becomes of tasks that are given to the code while it is at another one. */
export const aheadMarks = {
  'given-behind-another': given((hit) => ({ also: ({ size }) => size > 1 && hit() })),
  'crashed-with-others-behind': given((hit) => ({ crashed: ({ size }) => size > 1 && hit() })),

  'given-back-and-begun-again': (_scene, hit) => {
    const back = new Set<string>();
    return {
      happened: {
        tasksReturned(node, event) {
          for (const task of event.tasks) back.add(`${keyOf(node, event)} ${task}`);
        },
      },
      decided(node, effect) {
        if (back.delete(`${keyOf(node, effect)} ${effect.task}`)) hit();
      },
    };
  },
} satisfies Record<string, Detector>;
