import type { MessageOf, NodeId } from '../../node/core/message.ts';
import type { Detector } from './detector.ts';
import type { Scene } from './scene.ts';

/** A voter that heard the leader within this holds on to it: half the least election timeout. */
const holdsOnMs = 300;
/** An election is decided, or begun anew, within this. */
const electionMs = 200;

/** Leadership was offered; `wanted`: it came to whom it was meant for, in the next term. */
const handover =
  (wanted: boolean): Detector =>
  (_scene, hit) => {
    let offered: { term: number; to: NodeId } | undefined;
    return {
      sent: {
        transferLeadership(_node, { term }, to) {
          if (to !== undefined) offered = { term, to };
        },
        appendRequest(node, { term }) {
          if (offered === undefined || term <= offered.term) return;
          const came = node === offered.to && term === offered.term + 1;
          if (came === wanted) hit();
          offered = undefined;
        },
      },
    };
  };

/** Whether a log on disk holds what a candidate's does not. */
function isAhead(scene: Scene, node: NodeId, { lastIndex, lastTerm }: MessageOf<'voteRequest'>): boolean {
  const index = scene.lastIndex(node);
  const term = scene.entry(node, index)?.term ?? 0;
  return term > lastTerm || (term === lastTerm && index > lastIndex);
}

/** How leaders are chosen, hold on, and go. */
export const electionMarks = {
  'split-vote': (scene, hit) => {
    let term = 0;
    let candidates = new Set<NodeId>();
    return {
      sent: {
        voteRequest(node, body) {
          if (body.pre || body.term < term) return;
          if (body.term > term) {
            if (scene.term < term && candidates.size > 1) hit();
            term = body.term;
            candidates = new Set();
          }
          candidates.add(node);
        },
      },
    };
  },

  'leadership-handed-over': handover(true),
  'handover-came-to-nothing': handover(false),

  'pre-vote-refused-leader-heard': (scene, hit) => {
    const heard = new Map<NodeId, number>();
    const asked = new Map<NodeId, MessageOf<'voteRequest'>>();
    /** The term in which each candidate's refusals were counted: it asks again and again. */
    const counted = new Map<NodeId, number>();
    return {
      received: {
        appendRequest(node, { term }) {
          if (term >= scene.term) heard.set(node, scene.nowMs);
        },
        voteRequest: (node, body) => void asked.set(node, body),
      },
      sent: {
        voteReply(node, { pre, granted }, to) {
          if (!pre || granted || to === undefined || counted.get(to) === scene.term) return;
          if (scene.nowMs - (heard.get(node) ?? Number.NEGATIVE_INFINITY) >= holdsOnMs) return;
          const request = asked.get(node);
          // One that is refused because its log is behind says nothing about the leader.
          if (request?.pre !== true || isAhead(scene, node, request)) return;
          counted.set(to, scene.term);
          hit();
        },
      },
    };
  },

  'candidate-died': (scene, hit) => {
    const standing = new Map<NodeId, { term: number; atMs: number }>();
    return {
      sent: {
        voteRequest(node, { pre, term }) {
          if (!pre) standing.set(node, { term, atMs: scene.nowMs });
        },
      },
      ended(node) {
        const stood = standing.get(node);
        standing.delete(node);
        if (stood !== undefined && scene.nowMs - stood.atMs < electionMs && scene.term < stood.term) hit();
      },
    };
  },

  'two-leaders-at-once': (scene, hit) => {
    const seen = new Map<NodeId, number>();
    return {
      sent: {
        appendRequest(node, { term }) {
          if (term >= scene.term || seen.get(node) === term) return;
          seen.set(node, term);
          hit();
        },
      },
    };
  },

  'suspended-leader-woke-up': (scene, hit) => {
    const slept = new Map<NodeId, number>();
    return {
      acted({ kind, node, text }) {
        if (kind === 'fault' && text.startsWith('suspended') && scene.isLeading(node)) slept.set(node, scene.term);
        if (kind !== 'mend' || text !== 'goes on') return;
        if (scene.term > (slept.get(node) ?? Number.POSITIVE_INFINITY)) hit();
        slept.delete(node);
      },
    };
  },
} satisfies Record<string, Detector>;
