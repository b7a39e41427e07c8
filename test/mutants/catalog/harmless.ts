import type { Mutant } from '../mutant.ts';

/** Changes that look like defects and break no promise: a simulator that flags one of them is wrong. */
export const harmless: readonly Mutant[] = [
  {
    name: 'commit-told-with-the-heartbeat',
    room: 'consensus',
    what: 'Followers hear what is committed with the next heartbeat instead of some ms after it is: later, and not too late.',
    file: 'consensus/replication.ts',
    edits: [
      {
        from: 'if (isDue || progress.toldCommitIndex < this.#tellThroughIndex) this.#tellCommit(to, progress);',
        to: 'if (isDue) continue;',
      },
    ],
    harmless: true,
  },
  {
    name: 'conflict-one-entry-at-a-time',
    room: 'consensus',
    what: 'A leader finds where the logs agree in single steps, as the paper has it, instead of a term at a time.',
    file: 'consensus/acceptance.ts',
    edits: [
      {
        from: 'const conflictIndex = log.firstIndexOfTermAt(request.previousIndex);',
        to: 'const conflictIndex = request.previousIndex;',
      },
    ],
    harmless: true,
  },
  {
    name: 'ordinary-elections-only',
    room: 'consensus',
    what: 'A closed connection to the leader is no reason to stand: elections wait for their timeout, as without the hint.',
    file: 'consensus/election.ts',
    edits: [{ from: 'if (!isVoter || options.leaseReads) return;', to: 'if (!isVoter || nowMs >= 0) return;' }],
    harmless: true,
  },
  {
    name: 'pre-vote-waits-for-the-disk',
    room: 'consensus',
    what: 'Even answers that promise nothing wait for the disk.',
    file: 'consensus/election.ts',
    edits: [
      {
        from: "state.sendEarly(from, { type: 'voteReply', body });",
        to: "state.sendLate(from, { type: 'voteReply', body });",
      },
    ],
    harmless: true,
  },
  {
    name: 'equal-nodes-in-another-order',
    room: 'placement',
    what: 'Of nodes that are equally good the last is chosen instead of the first: another place, and as good a one.',
    file: 'strategies/choose.ts',
    edits: [
      {
        from: 'ranked.sort((a, b) => b.score - a.score || byNode(a, b));',
        to: 'ranked.sort((a, b) => b.score - a.score || byNode(b, a));',
      },
    ],
    harmless: true,
  },
  {
    name: 'every-copy-is-whole',
    room: 'replication',
    what: 'Every step to a holder carries everything instead of what it lacks: more bytes, the same state.',
    file: 'node/core/replication.ts',
    edits: [
      {
        from: 'base !== undefined && first ? this.#source.after(base.sequence) : undefined;',
        to: 'base !== undefined && acked < -1 && first ? this.#source.after(base.sequence) : undefined;',
      },
    ],
    harmless: true,
  },
  {
    name: 'seals-asked-of-everybody-again',
    room: 'replication',
    what: 'A recovery that asks again asks also those holders that have answered: they are sealed already.',
    file: 'node/core/recovery.ts',
    edits: [{ from: 'if (this.#sealed.has(node)) continue;', to: '' }],
    harmless: true,
  },
  {
    name: 'one-probe-through-others',
    room: 'membership',
    what: 'A silent node is probed through one other instead of three: others accuse and acquit it all the same.',
    file: 'node/core/settings.ts',
    edits: [{ from: 'indirectProbesMax: 3,', to: 'indirectProbesMax: 1,' }],
    harmless: true,
  },
];
