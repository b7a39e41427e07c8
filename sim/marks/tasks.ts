import type { NodeId } from '../../node/core/message.ts';
import type { Detector } from './detector.ts';

/** A task that ran waits for its holders, or for a majority, this long before it is acknowledged. */
const longMs = 3_000;
const keyOf = ({ agent, task }: { agent: string; task: string }): string => `${agent}/${task}`;

interface Run {
  node: NodeId;
  atMs: number;
}

/** A task was answered to another node; `isHit` is told where and when it ran last. */
const answered =
  (isHit: (run: Run, node: NodeId, nowMs: number) => boolean): Detector =>
  (scene, hit) => {
    const runs = new Map<string, Run>();
    return {
      happened: { taskRan: (node, event) => void runs.set(keyOf(event), { node, atMs: scene.nowMs }) },
      sent: {
        taskAnswer(node, answer) {
          const key = keyOf(answer);
          const run = answer.refusal === '' ? runs.get(key) : undefined;
          if (run === undefined) return;
          runs.delete(key);
          if (isHit(run, node, scene.nowMs)) hit();
        },
      },
    };
  };

/** What becomes of tasks that are not simply run and answered. */
export const taskMarks = {
  'acknowledged-long-after-it-ran': answered((run, node, nowMs) => run.node === node && nowMs - run.atMs > longMs),
  'answered-by-a-host-that-did-not-run-it': answered((run, node) => run.node !== node),

  'task-begun-again-after-a-crash': (_scene, hit) => {
    const begun = new Map<string, string>();
    return {
      decided(node, effect) {
        const where = `${node}#${effect.epoch}`;
        const key = keyOf(effect);
        if (begun.get(key) === where) hit();
        begun.set(key, where);
      },
    };
  },
} satisfies Record<string, Detector>;
