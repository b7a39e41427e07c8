import { readLetterId } from '../../node/core/letter-id.ts';
import type { NodeId } from '../../node/core/message.ts';
import type { Results } from '../../node/core/operation.ts';
import { decodeOperation } from '../../node/core/operation-codec.ts';
import { limits } from '../../node/core/settings.ts';
import { TaskResult } from '../../node/core/wire/messages.ts';
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

/** A task was cancelled, and that is what it was then. */
const cancelled =
  (was: Results['taskCancel']['was']): Detector =>
  (_scene, hit) => ({
    answered(_node, _request, { type }, outcome) {
      if (type === 'taskCancel' && outcome.ok && (outcome.result as Results['taskCancel']).was === was) hit();
    },
  });

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
  'try-made-durable-before-it-began': (_scene, hit) => {
    const kept = new Set<string>();
    return {
      durable(node, writes) {
        for (const { key, value } of writes) {
          if (value === undefined || !key.startsWith('result/')) continue;
          const { task, tries } = TaskResult.decode(value);
          if (tries !== undefined) kept.add(`${node} ${task}`);
        }
      },
      decided(node, { task }) {
        if (kept.has(`${node} ${task}`)) hit();
      },
    };
  },

  'task-set-aside': (_scene, hit) => ({
    reported: { taskSetAside: () => hit() },
  }),

  'task-set-aside-because-hosts-died': (_scene, hit) => ({
    reported: {
      taskSetAside(_node, { details }) {
        if (details['tries'] === limits.taskTriesMax) hit();
      },
    },
  }),

  'set-aside-and-done-after-all': (_scene, hit) => ({
    answered(_node, _request, operation, outcome) {
      if (operation.type === 'task' && operation.retry !== undefined && outcome.ok) hit();
    },
  }),

  'set-aside-and-dropped': cancelled('setAside'),
  'cancelled-while-it-waited': cancelled('waiting'),
  'cancelled-while-it-ran': cancelled('running'),

  'cancelled-at-the-node-that-was-asked': (_scene, hit) => ({
    sent: {
      forward(_node, { operation }) {
        const asked = decodeOperation(operation);
        if (asked.type === 'doorTasks' && asked.cancelled) hit();
      },
    },
  }),

  'sent-again-by-a-new-host': (_scene, hit) => {
    const senders = new Map<string, NodeId>();
    return {
      sent: {
        taskAsk(node, { task }) {
          if (!task.startsWith('~m:')) return;
          const sender = senders.get(task);
          if (sender !== undefined && sender !== node) hit();
          senders.set(task, node);
        },
      },
    };
  },

  'letter-came-again': (_scene, hit) => {
    const done = new Set<string>();
    return {
      happened: { taskRan: (_node, { task }) => void (task.startsWith('~m:') && done.add(task)) },
      sent: {
        taskAsk(_node, { task }) {
          if (done.has(task)) hit();
        },
      },
    };
  },
  'letters-overtook-another': (_scene, hit) => ({
    sent: {
      taskAsk(_node, { task, settledBelow }) {
        const letter = settledBelow === undefined ? undefined : readLetterId(task);
        if (letter !== undefined && settledBelow !== undefined && letter.step > settledBelow) hit();
      },
    },
  }),
  'letter-came-when-it-had-settled': (_scene, hit) => ({
    sent: {
      taskAnswer(_node, { task, refusal }) {
        if (refusal === 'resultDropped' && readLetterId(task) !== undefined) hit();
      },
    },
  }),

  'answer-came-back-as-a-task': (_scene, hit) => ({
    decided(_node, { task }) {
      if (task.startsWith('~m:') && task.endsWith('-r')) hit();
    },
  }),

  'timer-fired-on-another-host': (_scene, hit) => {
    const setters = new Map<string, NodeId>();
    return {
      happened: {
        taskRan(node, { agent, outputs }) {
          if (outputs !== undefined) setters.set(agent, node);
        },
      },
      decided(node, { agent, task }) {
        const setter = setters.get(agent);
        if (task.startsWith('~t:') && setter !== undefined && setter !== node) hit();
      },
    };
  },

  'cancelled-too-late': (_scene, hit) => ({
    answered(_node, _request, { type }, outcome) {
      if (type === 'taskCancel' && !outcome.ok && outcome.error.code === 'taskOver') hit();
    },
  }),
} satisfies Record<string, Detector>;
