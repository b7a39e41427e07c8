import type { Mutant } from '../mutant.ts';

const room = 'reconciliation';

/** Defects in how what runs is made equal to what is wanted: placed anew, ended, deleted. */
export const reconciliation: readonly Mutant[] = [
  {
    name: 'instance-left-running',
    room,
    what: 'A host whose agent went elsewhere forgets it without stopping it: an orphan.',
    file: 'node/core/instance.ts',
    edits: [
      {
        from: 'this.runner.stop();\n    this.#at.now.reads.clear',
        to: 'this.replication.durableSequence();\n    this.#at.now.reads.clear',
      },
    ],
  },
  {
    name: 'agent-given-up-stays',
    room,
    what: 'The leader does not act when a host gives an agent up: it stands nowhere for ever.',
    file: 'node/core/manager.ts',
    edits: [
      {
        from: 'if (given?.epoch === placement.epoch) {',
        to: 'if (given?.epoch === placement.epoch && placement.epoch < 0) {',
      },
    ],
  },
  {
    name: 'deletion-does-not-seal',
    room,
    what: 'A deletion is over before a majority of the holders is sealed: a host that has not heard of it goes on acknowledging.',
    file: 'node/core/endings.ts',
    edits: [
      {
        from: 'if (holders.length > 0 && sealed.length < majorityOf(holders.length)) return;',
        to: 'if (holders.length > 0 && sealed.length < 0) return;',
      },
    ],
  },
  {
    name: 'name-free-too-early',
    room,
    what: 'The name of an agent is free as soon as it is deleted: its former host and the new one both answer to it.',
    file: 'node/core/cluster-state.ts',
    edits: [
      {
        from: 'return this.agents.has(agent) || this.ending.has(agent);',
        to: 'return this.agents.has(agent);',
      },
    ],
  },
  {
    name: 'end-forgets-the-successor',
    room,
    what: 'A holder that hears late of the end of an agent forgets the state of a new one of that name.',
    file: 'node/core/holder.ts',
    edits: [
      {
        from: 'if (held === undefined || held.sealedEpoch > index) return;',
        to: 'if (held === undefined || index < 0) return;',
      },
    ],
  },
  {
    name: 'acknowledges-without-a-majority',
    room,
    what: 'A fenced host that hears no leader goes on acknowledging as long as its holders answer.',
    file: 'node/core/node.ts',
    edits: [
      {
        from: 'mayAcknowledge: () => this.#decisions.hearsQuorum() && this.#decisions.recency.isRecent,',
        to: "mayAcknowledge: () => this.#cluster !== '',",
      },
    ],
  },
  {
    name: 'decision-awaited-for-ever',
    room,
    what: 'The leader does not forget that a placement is on its way when it has arrived: the agent gets no other while it leads.',
    file: 'node/core/manager.ts',
    edits: [{ from: 'this.#proposed.delete(agent.id);\n      if (result.ok)', to: 'if (result.ok)' }],
  },
];
