import type { NodeId } from '../../node/core/message.ts';
import type { Detector } from './detector.ts';
import { entryPrefix, indexOf } from './scene.ts';

/** A disk of production that takes this long for one batch is about to fail. */
const stallMs = 500;

/** The world did something to the machine of the leader. */
const leaderStruck =
  (what: RegExp): Detector =>
  (scene, hit) => ({
    acted({ node, text }) {
      if (what.test(text) && scene.isLeading(node)) hit();
    },
  });

/** Machines and their disks at the worst moment. */
export const machineMarks = {
  'leaders-disk-full': (scene, hit) => ({
    exited({ node, why, reason }) {
      if (why === 'diskFailed' && reason.endsWith('full') && scene.isLeading(node)) hit();
    },
  }),

  'leaders-last-batch-lost': leaderStruck(/the batch on its way to the disk was (lost|torn)/),
  'leaders-machine-lost': leaderStruck(/its disk is lost for good/),

  'damaged-disk-found-at-the-start': (_scene, hit) => ({
    exited({ why }) {
      if (why === 'diskDamaged') hit();
    },
  }),

  'leaders-disk-stalled': (scene, hit) => {
    /** What the leader told others of its log before its own disk had it. */
    let unsynced: { node: NodeId; index: number; sinceMs: number } | undefined;
    return {
      sent: {
        appendRequest(node, { term, entries }) {
          const last = entries.at(-1);
          if (last?.term !== term || unsynced !== undefined || last.index <= scene.lastIndex(node)) return;
          unsynced = { node, index: last.index, sinceMs: scene.nowMs };
        },
      },
      durable(node, writes) {
        if (unsynced?.node !== node) return;
        const { index, sinceMs } = unsynced;
        if (!writes.some(({ key }) => key.startsWith(entryPrefix) && indexOf(key) >= index)) return;
        if (scene.nowMs - sinceMs > stallMs) hit();
        unsynced = undefined;
      },
      ended(node) {
        if (unsynced?.node === node) unsynced = undefined;
      },
    };
  },
} satisfies Record<string, Detector>;
