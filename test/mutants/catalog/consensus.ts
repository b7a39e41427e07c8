import type { Mutant } from '../mutant.ts';

const room = 'consensus';

/** Defects in the replicated log: what implementations of Raft got wrong, most of them more than once. */
export const consensus: readonly Mutant[] = [
  {
    name: 'vote-forgotten-on-restart',
    room,
    what: 'Only the term goes to disk, not the vote: after a restart a voter votes again in the same term. Many first versions of Raft.',
    file: 'consensus/state.ts',
    edits: [{ from: 'return { ...this.#hardState };', to: "return { ...this.#hardState, vote: '' };" }],
  },
  {
    name: 'votes-for-every-candidate',
    room,
    what: 'A voter that has voted grants another candidate of the same term its vote, too: two leaders of one term.',
    file: 'consensus/election.ts',
    edits: [
      {
        from: "const free = request.term > state.term || state.vote === '' || state.vote === from;",
        to: 'const free = request.term >= state.term;',
      },
    ],
  },
  {
    name: 'any-log-wins',
    room,
    what: 'A vote does not depend on the log of the candidate: a leader can lack what is committed (paper, 5.4.1).',
    file: 'consensus/election.ts',
    edits: [
      {
        from: '!sticky && free && request.term >= state.term && state.log.isCoveredBy(request.lastIndex, request.lastTerm);',
        to: '!sticky && free && request.term >= state.term;',
      },
    ],
  },
  {
    name: 'longest-log-wins',
    room,
    what: 'Logs are compared by length before term: a deposed leader with a long tail that nobody wanted is elected.',
    file: 'consensus/log.ts',
    edits: [
      {
        from: 'return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex);',
        to: 'return lastIndex > this.lastIndex || (lastIndex === this.lastIndex && lastTerm >= this.lastTerm);',
      },
    ],
    alone: true,
    seedsMax: 1_000,
  },
  {
    name: 'half-is-a-majority',
    room,
    what: 'The majority is off by one where the voters are even in number: two halves both decide.',
    file: 'consensus/quorum.ts',
    edits: [{ from: 'return Math.floor(voters / 2) + 1;', to: 'return Math.ceil(voters / 2);' }],
  },
  {
    name: 'learners-count',
    room,
    what: 'Members that only follow the log count for its majority: committed on disks that no election asks.',
    file: 'consensus/leadership.ts',
    edits: [
      {
        from: 'const matches = configuration.voters.map((voter) =>',
        to: 'const matches = [...configuration.voters, ...configuration.learners].map((voter) =>',
      },
    ],
  },
  {
    name: 'heartbeat-cuts-the-log',
    room,
    what: 'A follower cuts whatever lies behind a request, also without a conflict: a late one takes back what was answered.',
    file: 'consensus/acceptance.ts',
    edits: [
      {
        from: 'const matchIndex = request.previousIndex + request.entries.length;',
        to: `const matchIndex = request.previousIndex + request.entries.length;
  if (matchIndex < log.lastIndex && matchIndex >= state.commitIndex) state.truncateFrom(matchIndex + 1);`,
      },
    ],
  },
  {
    name: 'unverified-tail-commits',
    room,
    what: 'A follower takes all of its log for committed, not only what the leader has confirmed (paper, figure 2).',
    file: 'consensus/acceptance.ts',
    edits: [
      {
        from: 'state.commitTo(Math.min(request.commitIndex, matchIndex));',
        to: 'state.commitTo(log.lastIndex);',
      },
    ],
  },
  {
    name: 'unverified-tail-matches',
    room,
    what: 'A follower answers with the end of its log instead of the end of what was compared: its own leftovers count as copies.',
    file: 'consensus/acceptance.ts',
    edits: [
      {
        from: 'const matchIndex = request.previousIndex + request.entries.length;',
        to: 'const matchIndex = log.lastIndex;',
      },
    ],
  },
  {
    name: 'logs-not-compared',
    room,
    what: 'A follower takes entries without looking whether the one before them is of the same term (paper, 5.3).',
    file: 'consensus/acceptance.ts',
    edits: [{ from: 'if (presentTerm !== request.previousTerm) {', to: 'if (presentTerm < 0) {' }],
  },
  {
    name: 'figure-eight',
    room,
    what: 'Entries of older terms are committed by counting copies (paper, 5.4.2 and figure 8).',
    file: 'consensus/leadership.ts',
    edits: [
      {
        from: 'if (index <= commitIndex || log.termAt(index) !== term) return;',
        to: 'if (index <= commitIndex) return;',
      },
    ],
    alone: true,
  },
  {
    name: 'old-leader-obeyed',
    room,
    what: 'A follower takes entries of the leader of the term before, and cuts its log for them.',
    file: 'consensus/following.ts',
    edits: [{ from: 'if (request.term < state.term) {', to: 'if (request.term < state.term - 1) {' }],
    alone: true,
    seedsMax: 1_000,
  },
  {
    name: 'leader-counts-its-unwritten-copy',
    room,
    what: "The leader's own copy counts before it is on disk: committed on one disk less than it says.",
    file: 'consensus/leadership.ts',
    edits: [{ from: 'voter === id ? this.#durableIndex : (', to: 'voter === id ? log.lastIndex : (' }],
    alone: true,
    seedsMax: 1_000,
  },
  {
    name: 'answers-before-the-disk',
    room,
    what: 'A follower answers an append request before the entries are on its disk: the cache that was lost with the power.',
    file: 'consensus/following.ts',
    edits: [
      {
        from: "else if (request.round > 0) state.sendLate(from, { type: 'appendReply', body: { ...body, sentMs } });",
        to: "else if (request.round > 0) state.sendEarly(from, { type: 'appendReply', body: { ...body, sentMs } });",
      },
    ],
  },
  {
    name: 'leader-decides-before-its-first-entry',
    room,
    what: 'A new leader decides before an entry of its term is committed: after a loss of power it knows of nothing (paper, 8).',
    file: 'consensus/leadership.ts',
    edits: [{ from: 'return this.#state.commitIndex >= this.#firstIndex;', to: 'return this.#firstIndex > 0;' }],
  },
  {
    name: 'lost-entries-not-sent-again',
    room,
    what: 'What was on its way and lost is not noticed by later answers: a follower stays behind for good.',
    file: 'consensus/replication.ts',
    edits: [
      {
        from: 'else if (answer.earlier.some((flight) => flight.lastIndex > progress.matchIndex)) {',
        to: 'else if (answer.earlier.some((flight) => flight.lastIndex < 0)) {',
      },
    ],
  },
  {
    name: 'every-answer-is-a-vote',
    room,
    what: 'A candidate counts the answers that it gets instead of the votes among them.',
    file: 'consensus/election.ts',
    edits: [
      {
        from: 'if (reply.granted) this.#granters.add(from);\n    else',
        to: 'this.#granters.add(from);\n    if (!reply.granted)',
      },
    ],
  },
  {
    name: 'any-tail-kept-behind-a-snapshot',
    room,
    what: 'What lies behind a snapshot that was brought stays, also when another leader wrote it.',
    file: 'consensus/state.ts',
    edits: [
      {
        from: 'if (this.log.termAt(index) === term) this.log.compactTo(index);',
        to: 'if (this.log.lastIndex >= index) this.log.compactTo(index);',
      },
    ],
    alone: true,
    seedsMax: 1_000,
  },
  {
    name: 'snapshot-answered-before-the-disk',
    room,
    what: 'A follower says that it has a snapshot before that is on its disk.',
    file: 'consensus/following.ts',
    edits: [
      {
        from: "state.sendLate(from, { type: 'snapshotReply', body: answer });",
        to: "state.sendEarly(from, { type: 'snapshotReply', body: answer });",
      },
    ],
    alone: true,
  },
  {
    name: 'snapshot-names-proposed-members',
    room,
    what: 'A snapshot carries the members that were proposed last, committed or not.',
    file: 'consensus/raft.ts',
    edits: [{ from: 'configuration: configurations.at(index)', to: 'configuration: configurations.current' }],
    alone: true,
    seedsMax: 1_000,
  },
  {
    name: 'read-without-a-round',
    room,
    what: 'A leader answers reads without asking whether it still leads.',
    file: 'consensus/reads.ts',
    edits: [{ from: 'if (isLeased) this', to: 'if (!isLeased) this' }],
    alone: true,
    seedsMax: 1_000,
  },
  {
    name: 'round-counts-earlier-answers',
    room,
    what: 'A read is let through by answers to what was sent before it began.',
    file: 'consensus/reads.ts',
    edits: [{ from: '> round.afterRound;', to: '> 0;' }],
    alone: true,
    seedsMax: 1_000,
  },
  {
    name: 'relay-passes-on-what-may-be-taken-back',
    room,
    what: 'A relay passes on entries that are not committed.',
    file: 'consensus/replication.ts',
    edits: [
      {
        from: "return this.#leader === '' ? log.lastIndex : commitIndex;",
        to: 'return Math.max(log.lastIndex, commitIndex);',
      },
    ],
    alone: true,
    seedsMax: 1_000,
  },
  {
    name: 'old-command-passes-for-a-new-one',
    room,
    what: 'A command whose outcome its client has been told long ago takes effect again when it comes late.',
    file: 'consensus/sessions.ts',
    edits: [
      {
        from: "return serial < session.lowest ? { kind: 'expired' } : { kind: 'new' };",
        to: "return serial < 0 ? { kind: 'expired' } : { kind: 'new' };",
      },
    ],
    alone: true,
    seedsMax: 1_000,
  },
  {
    name: 'old-refusal-answers-a-new-request',
    room,
    what: 'Who refuses a request of an earlier term names its round: where the same node leads again, that confirms a read of the present term.',
    file: 'consensus/following.ts',
    alone: true,
    seedsMax: 1_000,
    edits: [
      {
        from: 'conflictIndex: 0, conflictTerm: 0, round: 0 };',
        to: 'conflictIndex: 0, conflictTerm: 0, round: request.round };',
      },
    ],
  },
];
