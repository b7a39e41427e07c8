import type { NodeId } from '../../node/core/message.ts';
import { keys } from '../../node/core/records.ts';
import type { Detector } from '../marks/detector.ts';
import { electionMarks } from '../marks/elections.ts';
import { logMarks } from '../marks/log.ts';
import { entryPrefix, indexOf } from '../marks/scene.ts';
import { snapshotMarks } from '../marks/snapshots.ts';
import { doors } from './node.ts';

const { 'placement-void-at-apply': _ofAgents, ...marksOfTheLog } = logMarks;

/** Something of a snapshot, or of what is passed on, was sent so lately that it is under way. */
const underWayMs = 200;

/** What a leader and a follower have under way while one brings the other a snapshot. */
const bringing =
  (who: 'leader' | 'follower'): Detector =>
  (scene, hit) => {
    const sent = new Map<NodeId, { to: NodeId; atMs: number }>();
    return {
      sent: {
        snapshotChunk(node, _chunk, to) {
          if (to !== undefined) sent.set(node, { to, atMs: scene.nowMs });
        },
        snapshotReply(_node, { installed }, to) {
          if (installed && to !== undefined) sent.delete(to);
        },
      },
      ended(node) {
        for (const [leader, { to, atMs }] of sent) {
          if (scene.nowMs - atMs > underWayMs || node !== (who === 'leader' ? leader : to)) continue;
          sent.delete(leader);
          hit();
        }
      },
    };
  };

/** Others are members, or vote, than before. */
const membersChanged =
  (isHit: (before: readonly NodeId[], after: readonly NodeId[], node: NodeId) => boolean): Detector =>
  (_scene, hit) => {
    let before: readonly NodeId[] = [];
    return {
      logged: {
        votersChanged({ voters }, node) {
          if (before.length > 0 && isHit(before, voters, node)) hit();
          before = voters;
        },
      },
    };
  };

const applied =
  (kind: 'repeat' | 'expired'): Detector =>
  (_scene, hit) => ({ logged: { [kind]: () => hit() } });

/** What looks for each mark of consensus alone. */
export const consensusDetectors = {
  ...electionMarks,
  ...marksOfTheLog,
  ...snapshotMarks,

  'snapshot-in-several-chunks': (_scene, hit) => ({
    sent: {
      snapshotChunk(_node, { offset, length, data }) {
        if (offset > 0 && offset + data.byteLength === length) hit();
      },
    },
  }),

  'snapshot-resumed-under-another-sender': (_scene, hit) => {
    const begun = new Map<string, NodeId>();
    return {
      received: {
        snapshotChunk(node, { index, checksum, offset }, from) {
          const key = `${node} ${index} ${checksum}`;
          const first = begun.get(key) ?? from;
          if (offset > 0 && first !== from) hit();
          begun.set(key, from);
        },
      },
    };
  },

  'leader-died-while-it-brought-a-snapshot': bringing('leader'),
  'follower-died-while-it-took-a-snapshot': bringing('follower'),

  'log-dropped-for-a-snapshot': (_scene, hit) => ({
    durable(_node, writes) {
      const snapshot = writes.find(({ key }) => key === keys.snapshot)?.value;
      if (snapshot === undefined) return;
      const { index, base } = JSON.parse(new TextDecoder().decode(snapshot)) as {
        index: number;
        base: { index: number };
      };
      // Of what a node compacts itself, nothing behind the snapshot goes.
      const isCut = ({ key, value }: (typeof writes)[number]): boolean =>
        value === undefined && key.startsWith(entryPrefix) && indexOf(key) > index;
      if (base.index === index && writes.some(isCut)) hit();
    },
  }),

  'tail-kept-behind-a-snapshot': (scene, hit) => ({
    sent: {
      snapshotReply(node, { installed, index }) {
        if (installed && scene.coveredIndex(node) === index && scene.lastIndex(node) > index) hit();
      },
    },
  }),

  'read-lost-with-the-leadership': (scene, hit) => {
    const asked = new Map<string, NodeId>();
    return {
      asked(node, request, operation) {
        if (operation.type === 'task' && operation.agent === doors.read && scene.isLeading(node))
          asked.set(request, node);
      },
      answered(node, request, _operation, outcome) {
        if (asked.get(request) === node && !outcome.ok) hit();
        asked.delete(request);
      },
    };
  },

  'command-came-twice': applied('repeat'),
  'session-expired': applied('expired'),

  'voter-added': membersChanged((before, after) => after.some((voter) => !before.includes(voter))),
  'voter-let-go': membersChanged((before, after) => before.some((voter) => !after.includes(voter))),
  'two-voters': membersChanged((_before, after) => after.length === 2),
  'seven-voters': membersChanged((_before, after) => after.length >= 7),

  'leader-removed-itself': (scene, hit) => ({
    logged: {
      votersChanged({ voters }) {
        const leader = scene.leader;
        if (leader !== undefined && scene.isLeading(leader.node) && !voters.includes(leader.node)) hit();
      },
    },
  }),

  'removed-server-asked-for-votes': (scene, hit) => ({
    sent: {
      voteRequest(node) {
        const { voters } = scene.ledger;
        if (voters.length > 0 && !voters.includes(node)) hit();
      },
    },
  }),

  'relay-served': (scene, hit) => {
    let term = 0;
    return {
      did: {
        send(_node, { message }) {
          if (message.type !== 'appendRequest' || message.body.leader === '' || scene.term === term) return;
          term = scene.term;
          hit();
        },
      },
    };
  },

  'relay-died': (scene, hit) => {
    const passedOn = new Map<NodeId, number>();
    return {
      did: {
        send(node, { message }) {
          if (message.type === 'appendRequest' && message.body.leader !== '') passedOn.set(node, scene.nowMs);
        },
      },
      ended(node) {
        if (scene.nowMs - (passedOn.get(node) ?? Number.NEGATIVE_INFINITY) < underWayMs) hit();
        passedOn.delete(node);
      },
    };
  },

  'relay-brought-a-snapshot': (_scene, hit) => ({
    sent: {
      snapshotChunk(_node, { leader }) {
        if (leader !== '') hit();
      },
    },
  }),

  'damaged-disk-refused': (_scene, hit) => ({
    exited({ why }) {
      if (why === 'diskDamaged') hit();
    },
  }),

  'write-failed-on-the-leader': (scene, hit) => ({
    exited({ why, node }) {
      if (why === 'diskFailed' && scene.isLeading(node)) hit();
    },
  }),
} satisfies Record<string, Detector>;

/** What each mark of consensus alone means; those that it shares with the whole program are described there. */
export const consensusMarks: Readonly<Record<string, string>> = {
  'snapshot-in-several-chunks': 'The last of several chunks of a snapshot was sent.',
  'snapshot-resumed-under-another-sender':
    'A follower got a later chunk of a snapshot from another node than the first.',
  'leader-died-while-it-brought-a-snapshot': 'A leader died in the midst of bringing a snapshot to a follower.',
  'follower-died-while-it-took-a-snapshot': 'A follower died in the midst of taking a snapshot in.',
  'log-dropped-for-a-snapshot': 'A snapshot took the place of a log that did not lead to it, and all of it went.',
  'tail-kept-behind-a-snapshot': 'A snapshot took the place of the front of a log, and what lay behind it stayed.',
  'read-lost-with-the-leadership': 'A leader could not answer a read because it led no longer.',
  'command-came-twice': 'A command was in the log a second time, and had no effect there.',
  'session-expired': 'A command came in a session that was over.',
  'voter-added': 'A learner was made a voter.',
  'voter-let-go': 'A voter was let go.',
  'two-voters': 'Two voters were left, so that both had to be there.',
  'seven-voters': 'Seven nodes or more voted.',
  'leader-removed-itself': 'A leader committed a configuration in which it does not vote.',
  'removed-server-asked-for-votes': 'A node that does not vote, by what is committed, asked for votes.',
  'relay-served': 'A learner got the log through another one.',
  'relay-died': 'A node died that was passing the log on.',
  'relay-brought-a-snapshot': 'A learner got a snapshot through another one.',
  'damaged-disk-refused': 'A node refused to start from a disk with a record that is not what was written.',
  'write-failed-on-the-leader': 'A write failed on the leader and ended it.',
};
