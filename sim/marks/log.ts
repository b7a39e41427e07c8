import { entryKinds } from '../../consensus/entry.ts';
import { majorityOf } from '../../consensus/quorum.ts';
import { decodeCommand } from '../../node/core/command.ts';
import type { NodeId } from '../../node/core/message.ts';
import { keys } from '../../node/core/records.ts';
import type { Detector } from './detector.ts';
import { entryPrefix, indexOf, type Scene } from './scene.ts';

/** Whether a node and those that it exchanges frames with are no majority of the voters. */
function isCutOff({ ledger, world: { network } }: Scene, node: NodeId): boolean {
  const { voters } = ledger;
  const isThere = (voter: NodeId): boolean =>
    voter === node || (network.reaches(node, voter) && network.reaches(voter, node));
  return voters.length > 0 && voters.filter(isThere).length < majorityOf(voters.length);
}

/** What becomes of entries before, and instead of, being committed. */
export const logMarks = {
  'placement-void-at-apply': (scene, hit) => ({
    applied(index, node) {
      // A command that fits the state no longer leaves no report: the next one shows the gap.
      for (let at = scene.ledger.index + 1; at < index; at++) {
        const entry = scene.entry(node, at);
        if (entry?.kind === entryKinds.command && decodeCommand(entry.data).kind === 'agentPlace') hit();
      }
    },
  }),

  'log-tail-cut': (scene, hit) => ({
    durable(node, writes) {
      const last = scene.lastIndex(node);
      const covered = scene.coveredIndex(node);
      const isCut = (index: number): boolean => index <= last && index > covered;
      if (writes.some(({ key }) => key === keys.snapshot)) return;
      if (writes.some(({ key }) => key.startsWith(entryPrefix) && isCut(indexOf(key)))) hit();
    },
  }),

  'conflict-hint-skipped-a-term': (scene, hit) => ({
    sent: {
      appendReply(node, { success, conflictIndex, conflictTerm }) {
        if (success || conflictTerm === 0) return;
        if (scene.entry(node, conflictIndex + 1)?.term === conflictTerm) hit();
      },
    },
  }),

  'committed-while-cut-off': (scene, hit) => ({
    sent: {
      appendRequest(node, { term, commitIndex }) {
        const led = scene.led(node);
        if (led?.term === term && commitIndex > led.commitIndex && isCutOff(scene, node)) hit();
      },
    },
  }),

  'leader-died-with-uncommitted-entries': (scene, hit) => ({
    ended(node) {
      if (scene.isLeading(node) && scene.lastIndex(node) > (scene.led(node)?.commitIndex ?? 0)) hit();
    },
  }),
} satisfies Record<string, Detector>;
