import { isTimerTask } from '../../node/core/mail.ts';
import type { NodeId } from '../../node/core/message.ts';
import { fromBytes } from '../../node/core/text.ts';
import type { DeskTask } from '../desk.ts';
import type { Detector } from './detector.ts';

const isLetter = (task: string): boolean => task.startsWith('~m:');

/** What the desks of a run give each other and themselves says by its id in which way. */
function idIn(payload: Uint8Array): string {
  const { id } = JSON.parse(fromBytes(payload)) as Partial<DeskTask>;
  return typeof id === 'string' ? id : '';
}

const sentAgain =
  (way: string): Detector =>
  (_scene, hit) => {
    const senders = new Map<string, NodeId>();
    return {
      sent: {
        taskAsk(node, { task, payload }) {
          if (!isLetter(task) || !idIn(payload).startsWith(way)) return;
          if ((senders.get(task) ?? node) !== node) hit();
          senders.set(task, node);
        },
      },
    };
  };

/** A timer began on another host than the one before, or than the one that set it. */
const firedElsewhere =
  (way: string): Detector =>
  (_scene, hit) => {
    const hosts = new Map<string, NodeId>();
    return {
      happened: {
        taskRan(node, { outputs }) {
          if (outputs === undefined) return;
          for (const { task } of (JSON.parse(fromBytes(outputs)) as { timers: { task?: Partial<DeskTask> }[] }).timers)
            if (task?.id?.startsWith(way)) hosts.set(task.id, node);
        },
      },
      decided(node, { task, payload }) {
        if (!isTimerTask(task)) return;
        const id = idIn(payload);
        if (!id.startsWith(way)) return;
        if ((hosts.get(id) ?? node) !== node) hit();
        hosts.set(id, node);
      },
    };
  };

/** Tasks that go by type, by key and by topic, and timers that outlive their host. */
export const letterMarks = {
  'by-type-sent-again-by-a-new-host': sentAgain('by-type'),
  'by-key-sent-again-by-a-new-host': sentAgain('by-key'),
  'by-key-came-from-several-hosts': (_scene, hit) => {
    const hosts = new Map<string, NodeId>();
    return {
      sent: {
        taskAsk(node, { agent, task, payload }) {
          if (!isLetter(task) || !idIn(payload).startsWith('by-key')) return;
          if ((hosts.get(agent) ?? node) !== node) hit();
          hosts.set(agent, node);
        },
      },
    };
  },
  'published-sent-again-by-a-new-host': sentAgain('published'),
  'published-to-one-that-was-away': (scene, hit) => {
    const away = new Set<string>();
    return {
      sent: {
        taskAsk(_node, { agent, task, payload }) {
          if (!isLetter(task) || !idIn(payload).startsWith('published')) return;
          const { active, placement } = scene.ledger.agents.get(agent) ?? {};
          if (active?.epoch !== placement?.epoch) away.add(task);
        },
      },
      happened: {
        taskRan(_node, { task }) {
          if (away.delete(task)) hit();
        },
      },
    };
  },
  'time-of-day-fired-on-another-host': firedElsewhere('at-'),
  'repeated-timer-went-on-at-another-host': firedElsewhere('every-'),
} satisfies Record<string, Detector>;
