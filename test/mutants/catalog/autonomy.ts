import type { Mutant } from '../mutant.ts';

const room = 'autonomy';

/** Defects in what sides without a majority do, and in how that comes together afterwards. */
export const autonomy: readonly Mutant[] = [
  {
    name: 'branch-acknowledges-alone',
    room,
    what: 'A branch acknowledges when one of its keepers has a step: who goes on from another one loses it.',
    file: 'node/core/instance-epoch.ts',
    edits: [
      {
        from: 'const quorum = branch === undefined ? majorityOf : all;\n    this.reads',
        to: 'const quorum = branch === undefined ? majorityOf : all === undefined ? all : () => 1;\n    this.reads',
      },
    ],
  },
  {
    name: 'both-sides-count',
    room,
    what: 'An agent is not told which tasks both sides did: a merge counts them twice.',
    file: 'node/core/branch-copy.ts',
    edits: [{ from: 'known.sequence > copy.base.sequence ? [task] : [];', to: 'known.sequence < 0 ? [task] : [];' }],
  },
  {
    name: 'answers-of-a-branch-forgotten',
    room,
    what: 'What a branch did is merged and its answers are not taken over: a task sent again is done again.',
    file: 'node/core/branch-merges.ts',
    edits: [
      {
        from: 'for (const { task, ok, value, cancelled } of toTakeOver(copy, this.#init.tasks.results)) {',
        to: 'for (const { task, ok, value, cancelled } of toTakeOver(copy, this.#init.tasks.results).slice(1)) {',
      },
    ],
  },
  {
    name: 'majority-thrown-away',
    room,
    what: 'A branch takes the place of the history although the majority went on: as where the later or the longer side wins.',
    file: 'node/core/branch-merges.ts',
    edits: [
      {
        from: 'sequence === base.sequence && state.checksum === base.checksum;',
        to: 'sequence >= base.sequence && state.length > 0;',
      },
    ],
  },
  {
    name: 'fork-forgotten',
    room,
    what: 'Keepers forget a branch as soon as the log has its end, forks among them.',
    file: 'node/core/branch-reports.ts',
    edits: [{ from: "(end !== undefined && end.outcome !== 'forked')", to: '(end !== undefined && end.index > 0)' }],
  },
  {
    name: 'branch-outlives-the-heal',
    room,
    what: 'A node that hears a majority again does not close its branches: they go on beside the history.',
    file: 'node/core/autonomy.ts',
    edits: [{ from: '    this.runs.closeAll();\n', to: '' }],
  },
  {
    name: 'branch-from-what-nobody-else-has',
    room,
    what: 'Any step is taken for one that the majority passed through: what only one holder had before is lost in the merge.',
    file: 'node/core/reconciliation.ts',
    edits: [{ from: 'if (strange !== undefined) return end(', to: "if (strange === '') return end(" }],
  },
  {
    name: 'number-of-an-older-branch-taken',
    room,
    what: 'A new host goes on under the number of the one before: two hosts of one number.',
    file: 'node/core/branch.ts',
    edits: [
      {
        from: '(Math.floor(number / numberStep) + 1) * numberStep + Math.floor(random() * numberStep);',
        to: 'number > 0 ? number : numberStep + Math.floor(random() * numberStep);',
      },
    ],
  },
  {
    name: 'part-of-a-branch-overwritten',
    room,
    what: 'Who keeps a part that went its own way becomes a keeper of the other part: what was acknowledged there is lost.',
    file: 'node/core/branch.ts',
    edits: [{ from: '): boolean => copy.number > 0 &&', to: '): boolean => copy.number < 0 &&' }],
  },
  {
    name: 'found-part-counted-twice',
    room,
    what: 'A part of a branch is merged although another one is in and nothing of it is remembered: tasks of both count twice.',
    file: 'node/core/reconciliation.ts',
    edits: [
      { from: 'if (later !== undefined) {', to: 'if (later !== undefined && later.number < 0) {' },
      {
        from: 'if (!this.#remembersOthers(agent, entry, instance))',
        to: 'if (entry.number < 0 && !this.#remembersOthers(agent, entry, instance))',
      },
    ],
  },
];
