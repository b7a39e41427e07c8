/** What a node's behaviour depends on. Times in ms, sizes in bytes; all of them the same on every node of a cluster. */
export interface Settings {
  /** How often everything that is not consensus looks at the clock. */
  tickMs: number;
  /** A watched node that said nothing for this long is probed. */
  probeIntervalMs: number;
  /** An unanswered probe, direct or through others, counts as failed after this long. */
  probeTimeoutMs: number;
  /** Others through whom a silent node is probed. */
  indirectProbesMax: number;
  /** Nodes that watch each node once the cluster is larger than this. */
  watchersMax: number;
  /** Distinct observers that must agree on a death, fewer where there are fewer. */
  accusersMin: number;
  /** An accusation counts this long unless it is repeated. */
  rumorTtlMs: number;
  /** How often an accuser repeats itself. */
  rumorRepeatMs: number;
  /** An event this late after the moment asked for means that this process stood still. */
  pauseMs: number;
  /** A suspected node's connection that stays silent this long is closed. */
  hangUpAfterMs: number;
  /** Between two tries to reach a node that should be connected. */
  rejoinIntervalMs: number;
  /** Between two tries of a founder, a joiner, or of a request to the leader. */
  retryIntervalMs: number;
  /** What agents keep of the letters of one that was deleted is kept so long: more than a copy on its way may be old. */
  sendersGoneMs: number;
  /** Load is gossiped this often even when nothing changed. */
  loadFloorMs: number;
  /** A voter that is dead this long is replaced or let go. */
  voterGraceMs: number;
  /** A holder that is dead this long is replaced. */
  holderGraceMs: number;
  /** How many nodes shall vote; while one is replaced there is one more. The leader's counts. */
  votersMax: number;
  /** A learner votes once it has been alive and unsuspected for this long; founders vote from the beginning. */
  voterSettleMs: number;
  /** Voters are swapped for the sake of their sites only when none has changed for this long. */
  voterSwapPauseMs: number;
  /** A host that answers no heartbeat of the leader for this long loses its agents, even if others reach it. */
  hostSilentMs: number;
  /**
   * So long after an operator let an agent go on without most of its holders no earlier host of it acknowledges any more:
   * `hostSilentMs` by clocks one of which goes a fifth too slow and the other a fifth too fast, and half a second.
   */
  fenceMs: number;
  /** A rollout goes on, and ends, without an agent that has not answered for this long. */
  rolloutPatienceMs: number;
  /** Placements on their way at the same time. */
  placementsInFlightMax: number;
  /** A placement that is not active after this long is decided anew; each one that is late gives the next twice as long. */
  recoveryTimeoutMs: number;
  /** A replication or seal request without an answer is sent again. */
  holderRetryMs: number;
  /** A task without an answer is sent again. */
  taskRetryMs: number;
  /** An operation that its deadline does not bound otherwise is given up. */
  operationTimeoutMs: number;
  /** Reads without a round while a majority answered lately; see `leaseReads` of the consensus options. */
  leaseReads: boolean;
  /** A snapshot takes the place of the log when it has grown by so many decisions, or so many bytes of them. */
  compactEntries: number;
  compactBytes: number;
  /** Decisions that a snapshot covers and that are kept for those who are a little behind. */
  keptEntries: number;
  /** Pieces in which a holder keeps a state that is larger than `stateInlineBytes`; a smaller one is one record. */
  statePartBytes: number;
  stateInlineBytes: number;
  /** Changes of a state that are kept as such, at most so many and of this size together, until its parts take them in. */
  stateChangesMax: number;
  stateChangesBytesMax: number;
  /** A state larger than this travels in messages of about this size, and to and from what runs its agent as well. */
  stateChunkBytes: number;
  /** Results that come with a state which comes in parts are written so many at a time. */
  resultsChunk: number;
  /** Bytes of states, of whatever agents, that a node has asked for and not yet on its disk. */
  stateFetchBytesMax: number;
  /** A copy of which nothing was heard for this long is given up. */
  copyIdleMs: number;
  /** A planned move whose target is not prepared after this long has failed. More than a task may take. */
  migrationTimeoutMs: number;
  /** An agent whose target is prepared takes no new task for so long at most while it waits for the switch. */
  handoverHoldMs: number;
  /** Agents on their way from draining nodes at the same time. */
  drainMovesMax: number;
  /** The drain of a node that was asked to stop may take this long; then it leaves with what is left. */
  stopDrainMs: number;
  /** A node that has heard no majority for so long is autonomous. Longer than an ordinary election. */
  autonomyAfterMs: number;
  /** How often autonomous nodes tell each other what they have. */
  autonomyTellMs: number;
  /** Who said nothing for so long does not count any more among autonomous nodes. */
  autonomySilentMs: number;
  /** A branch that does not answer so long after it was ordered is ordered anew. */
  branchStartMs: number;
  /** Between the news of a branch and its reconciliation: what other keepers have of it comes in. */
  reconcileAfterMs: number;
  /** A node that was asked to stop ends after this long, whatever it still has. More than `stopDrainMs`. */
  leaveTimeoutMs: number;
}

export const defaultSettings: Settings = {
  tickMs: 50,
  probeIntervalMs: 400,
  probeTimeoutMs: 400,
  indirectProbesMax: 3,
  watchersMax: 8,
  accusersMin: 3,
  rumorTtlMs: 5_000,
  rumorRepeatMs: 1_000,
  pauseMs: 1_500,
  hangUpAfterMs: 3_000,
  rejoinIntervalMs: 700,
  retryIntervalMs: 300,
  sendersGoneMs: 660_000,
  loadFloorMs: 10_000,
  voterGraceMs: 5_000,
  holderGraceMs: 3_000,
  votersMax: 5,
  voterSettleMs: 2_000,
  voterSwapPauseMs: 30_000,
  hostSilentMs: 5_000,
  fenceMs: 8_000,
  rolloutPatienceMs: 30_000,
  placementsInFlightMax: 64,
  recoveryTimeoutMs: 15_000,
  holderRetryMs: 500,
  taskRetryMs: 1_500,
  operationTimeoutMs: 15_000,
  leaseReads: false,
  compactEntries: 8_192,
  compactBytes: 32 * 1024 * 1024,
  keptEntries: 1_024,
  statePartBytes: 16 * 1024,
  stateInlineBytes: 4 * 1024,
  stateChangesMax: 256,
  stateChangesBytesMax: 512 * 1024,
  stateChunkBytes: 128 * 1024,
  resultsChunk: 256,
  stateFetchBytesMax: 256 * 1024,
  copyIdleMs: 10_000,
  migrationTimeoutMs: 60_000,
  handoverHoldMs: 1_000,
  drainMovesMax: 16,
  stopDrainMs: 6_000,
  leaveTimeoutMs: 7_500,
  autonomyAfterMs: 2_000,
  autonomyTellMs: 250,
  autonomySilentMs: 1_000,
  branchStartMs: 3_000,
  reconcileAfterMs: 500,
};

/** Bounds on what a node keeps; beyond them requests are refused, never memory used. */
export const limits = {
  agentsMax: 50_000,
  membersMax: 1_000,
  /** Nodes that a decision tells of as chosen or possible, and as many that it rejected. */
  explainedMax: 16,
  drainDeadlineMsMax: 7 * 24 * 3_600_000,
  /** Rare reports that the state keeps: who came and went, who votes, recoveries. */
  auditMax: 500,
  auditDetailsMax: 2_000,
  typesMax: 256,
  /** Versions of a type's code that agents run or may go back to. */
  versionsOfTypeMax: 8,
  /** Agents that could not go back, of which the end of a rollout tells. */
  staysListedMax: 64,
  settleMsMax: 3_600_000,
  rolloutFailuresMax: 100,
  sourceBytesMax: 256 * 1024,
  deployCountMax: 1_000,
  holdersMax: 5,
  stateBytesMax: 64 * 1024 * 1024,
  /** Of a `process` or a `container`, which tells all of it on one line. */
  lineStateBytesMax: 1024 * 1024,
  /** Of a state that one message brings, as a whole or as changes: what is more comes in parts. */
  stateMessageBytesMax: 2 * 1024 * 1024,
  /** Of a state that one answer of the API has in it. */
  readStateBytesMax: 1024 * 1024,
  /** Parts of a state, and the bytes of one: more than any node cuts. */
  statePartsMax: 262_144,
  statePartBytesMax: 1024 * 1024,
  /** Of all states that a node keeps: beyond that it begins no copy of a large one. */
  heldBytesMax: 2 * 1024 * 1024 * 1024,
  /** Of all states together that a node is being sent and has not wholly; at least one goes on. */
  copyingBytesMax: 128 * 1024 * 1024,
  /** Tasks of an agent that are known as done: one sent again after this many others may take effect twice. */
  resultsMax: 4_096,
  /** Of their results, the latest of this size together are kept, too. */
  resultsBytesMax: 1024 * 1024,
  resultBytesMax: 64 * 1024,
  /** Results are kept at most for so long, as far as their host knows: longer than any task may wait. */
  resultsAgeMsMax: 3_600_000,
  /** Tasks of an agent that are set aside, and the bytes of them together; beyond them the oldest is let go. */
  asideMax: 64,
  asideBytesMax: 1024 * 1024,
  reasonLengthMax: 1_000,
  /**
   * Tasks from other agents that an agent knows as done until their senders have settled them; beyond these the oldest is
   * known as any other task is. So many of one sender: it has to settle some before it may send more. With all other results
   * they have to fit a frame.
   */
  letterResultsMax: 1_024,
  letterResultsOfSenderMax: 64,
  /** Of their results, those that are kept whole, the latest of this size together. */
  letterResultsBytesMax: 256 * 1024,
  /** Tasks for other agents that one has under way, and its timers; of both together so many bytes. */
  lettersMax: 256,
  timersMax: 64,
  mailboxBytesMax: 256 * 1024,
  timerEveryMsMin: 100,
  topicsOfAgentMax: 16,
  payloadBytesMax: 256 * 1024,
  agentQueueMax: 1_000,
  /** Waiting tasks of an agent that are told one by one. */
  tasksListedMax: 100,
  tasksPendingMax: 10_000,
  /** Tasks of one agent that wait at the node that was asked: more than its host takes, which knows how long they will. */
  agentEntryMax: 1_500,
  taskTtlMsMax: 600_000,
  /** A task whose runner ended so often at one host is set aside. */
  taskFailuresMax: 3,
  /** So is one that was begun so often without an end at whatever host: any of them may have died for another reason. */
  taskTriesMax: 5,
  taskPriorityMax: 9,
  /** Branches of an agent that are to be reconciled, and its forks; beyond them keepers keep them and say so. */
  branchesMax: 16,
  /** Branches that ended otherwise, which are remembered. */
  branchesEndedMax: 64,
  /** Active epochs of an agent that are remembered, for where its branches began. */
  lineageMax: 32,
  /** The latest numbers of a branch that are remembered: a copy under an older one is taken for one that went its own way. */
  branchNumbersMax: 16,
  /** Branches that a node keeps of all agents, and agents whose states it tells other autonomous nodes of. */
  branchesKeptMax: 4_096,
  forwardsPendingMax: 4_096,
  /** Of an answer that travels between nodes: with what is around it, it fits a frame. */
  answerBytesMax: 3 * 1024 * 1024,
  requestsRememberedMax: 1_000,
  /** Outcomes of commands that are kept of one member, for when it asks again. */
  resultsOfSessionMax: 4_096,
  contactsMax: 1_024,
  kvKeysMax: 10_000,
  kvKeyLengthMax: 256,
  kvValueBytesMax: 64 * 1024,
  /** Keys and values together. */
  kvBytesMax: 16 * 1024 * 1024,
  /** Keys in one answer. */
  kvListMax: 1_000,
} as const;

/** Of what stands behind an agent's own state: its mailbox with what timers that repeat add to it, its version and its length. */
export const mailboxEndBytesMax = limits.mailboxBytesMax + limits.timersMax * 64 + 36;

/** Of what holders keep as an agent's state. */
export const replicatedBytesMax = limits.stateBytesMax + mailboxEndBytesMax;
