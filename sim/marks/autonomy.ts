import { isApart } from '../../node/core/branch.ts';
import type { MessageOf, NodeId } from '../../node/core/message.ts';
import type { Detector } from './detector.ts';
import type { Logged } from './logged.ts';

/** A branch ended so. */
const ended =
  (outcome: Logged['branchEnded']['outcome']): Detector =>
  (_scene, hit) => ({
    logged: {
      branchEnded(told) {
        if (told.outcome === outcome) hit();
      },
    },
  });

/** Open branches by agent, as the log has them. */
class Open {
  readonly #branches = new Map<string, Set<string>>();

  found(agent: string, branch: string): void {
    this.#branches.set(agent, this.of(agent).add(branch));
  }

  ended(agent: string, branch: string): void {
    this.of(agent).delete(branch);
  }

  of(agent: string): Set<string> {
    return this.#branches.get(agent) ?? new Set();
  }

  get size(): number {
    return [...this.#branches.values()].reduce((sum, { size }) => sum + size, 0);
  }
}

/** The branches that the log has to be reconciled, and what keeps them true. */
function watchOpen() {
  const open = new Open();
  const logged: NonNullable<ReturnType<Detector>['logged']> = {
    branchFound: ({ agent, branch }) => open.found(agent, branch),
    branchEnded: ({ agent, branch }) => open.ended(agent, branch),
  };
  return { open, logged };
}

/** What sides without a majority do, and how it comes together afterwards. */
export const autonomyMarks = {
  'autonomy-began': (_scene, hit) => ({ reported: { autonomyBegan: () => hit() } }),

  'acting-manager-changed': (_scene, hit) => {
    const acting = new Map<NodeId, unknown>();
    return {
      reported: {
        autonomyEnded: (node) => void acting.delete(node),
        actingManagerChanged(node, { details }) {
          if (acting.has(node) && acting.get(node) !== details['acting']) hit();
          acting.set(node, details['acting']);
        },
      },
      ended: (node) => void acting.delete(node),
    };
  },

  'branch-moved-within-its-side': (_scene, hit) => {
    const hosts = new Map<string, NodeId>();
    return {
      reported: {
        branchBegan(node, { details }) {
          const key = `${details['agent']}~${details['branch']}`;
          const before = hosts.get(key);
          if (before !== undefined && before !== node) hit();
          hosts.set(key, node);
        },
      },
    };
  },

  'side-split-again': (scene, hit) => {
    const hosts = new Map<string, NodeId>();
    return {
      reported: {
        branchBegan(node, { details }) {
          const key = `${details['agent']}~${details['branch']}`;
          const before = hosts.get(key);
          if (before !== undefined && before !== node && scene.isUp(before)) hit();
          hosts.set(key, node);
        },
      },
    };
  },

  'parts-of-a-branch-met': (scene, hit) => {
    /** What each node heard of each other one, and when. */
    const heard = new Map<NodeId, Map<NodeId, { atMs: number; body: MessageOf<'autonomy'> }>>();
    return {
      received: {
        autonomy(node, body, from) {
          heard.set(node, (heard.get(node) ?? new Map()).set(from, { atMs: scene.nowMs, body }));
        },
      },
      sent: {
        branchKeep(node, { record }) {
          if (record === undefined) return;
          const { agent, branch, numbers } = record;
          for (const { atMs, body } of heard.get(node)?.values() ?? []) {
            const copies = body.branches.filter((there) => there.agent === agent && there.branch === branch);
            if (scene.nowMs - atMs <= 500 && copies.some((copy) => !copy.runs && isApart(copy, numbers))) hit();
          }
        },
      },
      ended: (node) => void heard.delete(node),
    };
  },

  'provisional-answer': (_scene, hit) => ({
    sent: {
      taskAnswer(_node, { branch, refusal }) {
        if (branch !== undefined && refusal === '') hit();
      },
    },
  }),

  'branch-fast-forwarded': ended('fastForwarded'),
  'branch-merged': ended('merged'),
  'branch-contained': ended('contained'),
  'branch-forked': ended('forked'),

  'two-branches-of-one-agent': (_scene, hit) => {
    const open = new Open();
    return {
      logged: {
        branchFound({ agent, branch }) {
          if (!open.of(agent).has(branch) && open.of(agent).size > 0) hit();
          open.found(agent, branch);
        },
        branchEnded: ({ agent, branch }) => open.ended(agent, branch),
      },
    };
  },

  'host-died-with-a-branch-to-be-reconciled': (scene, hit) => {
    const { open, logged } = watchOpen();
    return {
      logged,
      ended(node) {
        for (const [agent, { active }] of scene.ledger.agents) {
          if (active?.host === node && open.of(agent).size > 0) hit();
        }
      },
    };
  },

  'leader-died-with-a-branch-to-be-reconciled': (scene, hit) => {
    const { open, logged } = watchOpen();
    return {
      logged,
      ended(node) {
        if (open.size > 0 && scene.isLeading(node)) hit();
      },
    };
  },

  'taken-in-by-an-earlier-host': (_scene, hit) => ({
    logged: {
      branchEnded({ reason }) {
        if (reason === 'an earlier host took it in') hit();
      },
    },
  }),
} satisfies Record<string, Detector>;
