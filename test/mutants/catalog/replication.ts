import type { Mutant } from '../mutant.ts';

const room = 'replication';

/** Defects in how an agent's state and results are kept by its holders, and had back from them. */
export const replication: readonly Mutant[] = [
  {
    name: 'lets-go-by-an-old-log',
    room,
    what: 'A node that starts judges by what it had applied when its snapshot was taken what it need not keep any more.',
    file: 'node/core/former-holdings.ts',
    edits: [{ from: 'if (this.#state.index < this.#noted(id, kept).lastIndex) continue;', to: '' }],
  },
  {
    name: 'one-copy-is-enough',
    room,
    what: 'A task is acknowledged when one holder has it: lost with the next crash, as with asynchronous replication in Redis.',
    file: 'node/core/replication.ts',
    edits: [{ from: 'return acked[this.#quorum(acked.length) - 1] ?? -1;', to: 'return acked[0] ?? -1;' }],
  },
  {
    name: 'half-of-the-holders-is-enough',
    room,
    what: 'The majority is off by one where the holders are even in number: those sealed need not have what was acknowledged.',
    file: 'node/core/replication.ts',
    edits: [{ from: 'Math.floor(n / 2) + 1', to: 'Math.ceil(n / 2)' }],
  },
  {
    name: 'holder-answers-before-the-disk',
    room,
    what: 'A holder confirms a state that is not on its disk yet: gone when the power fails everywhere.',
    file: 'node/core/holder.ts',
    edits: [
      {
        from: 'this.#keep(held, writes, message, () => answer({ ...reply, accepted: true, sealedEpoch: epoch }));',
        to: 'this.#keep(held, writes, message, () => {});\n    answer({ ...reply, accepted: true, sealedEpoch: epoch });',
      },
    ],
  },
  {
    name: 'first-checkpoint-wins',
    room,
    what: 'A recovery takes the first checkpoint that it is given instead of the newest.',
    file: 'node/core/recovery.ts',
    edits: [
      {
        from: 'const best = newestOf([this.#known, held, ...this.#sealed.values()]);',
        to: 'const best = [this.#known, held, ...this.#sealed.values()].find((step) => step !== undefined);',
      },
    ],
  },
  {
    name: 'sequence-before-epoch',
    room,
    what: 'Checkpoints are compared by sequence before epoch: what an old host never got acknowledged wins over what a new one did.',
    file: 'node/core/recovery.ts',
    edits: [
      {
        from: 'if (step.epoch !== best.epoch) return step.epoch > best.epoch ? step : best;',
        to: 'if (step.sequence !== best.sequence) return step.sequence > best.sequence ? step : best;',
      },
    ],
  },
  {
    name: 'sealed-holder-accepts-old-epoch',
    room,
    what: 'A sealed holder takes the state of a lower epoch: a host that stood still overwrites what its successor did.',
    file: 'node/core/holder.ts',
    edits: [{ from: 'if (epoch < sealedEpoch) {', to: 'if (epoch < sealedEpoch && sequence < 0) {' }],
  },
  {
    name: 'seal-does-not-fence',
    room,
    what: 'A holder hands over its checkpoint without the promise to refuse lower epochs: what comes after it is lost.',
    file: 'node/core/holder.ts',
    edits: [{ from: 'held.sealedEpoch = epoch;\n      this.#context', to: 'this.#context' }],
  },
  {
    name: 'goes-on-under-the-old-epoch',
    room,
    what: 'Code that goes on with other holders is not told its new epoch: it passes on a token that is over.',
    file: 'node/core/instance-runner.ts',
    edits: [
      {
        from: "this.#context.out.push({ type: 'renewAgent', agent, from: this.epoch, epoch });\n    this.#known = epoch;",
        to: 'if (agent === String(epoch)) this.#known = epoch;',
      },
    ],
  },
  {
    name: 'holders-taken-to-have-what-the-code-holds',
    room,
    what: 'In a new epoch all holders count as having what the code that goes on came to: acknowledged, and on one disk.',
    file: 'node/core/replication.ts',
    edits: [
      {
        from: 'progress.base = onTheWay?.(node) ?? base;',
        to: '{\n      progress.base = onTheWay?.(node) ?? base;\n      if (onTheWay !== undefined) progress.acked = base.sequence;\n    }',
      },
    ],
  },
  {
    name: 'older-epoch-is-still-heard',
    room,
    what: 'What holders answer to the older epoch ends the instance that goes on in the new one.',
    file: 'node/core/replication.ts',
    edits: [{ from: 'this.#progress.clear();', to: '' }],
  },
  {
    name: 'acknowledges-while-its-holders-change',
    room,
    what: 'An instance whose holders change acknowledges, in the new epoch, before the log calls that active.',
    file: 'node/core/instance-start.ts',
    edits: [
      {
        from: "    this.phase = 'sealing';\n    this.now = this.#init.epochOf(next);",
        to: '    this.now = this.#init.epochOf(next);',
      },
    ],
  },
  {
    name: 'goes-on-whatever-the-holders-have',
    room,
    what: 'Code goes on with other holders although they have another state than it came to.',
    file: 'node/core/recovery.ts',
    edits: [{ from: 'found(best, best !== undefined && best === held);', to: 'found(best, held !== undefined);' }],
  },
  {
    name: 'new-holders-sealed',
    room,
    what: 'A recovery seals a majority of the new holders instead of those of the last active epoch: the two need not overlap.',
    file: 'node/core/hosting.ts',
    edits: [{ from: 'previousHolders: active?.holders,', to: 'previousHolders: active && placement.holders,' }],
  },
  {
    name: 'first-copy-makes-active',
    room,
    what: 'An epoch becomes active when the first holder answers, not when a majority has the state.',
    file: 'node/core/instance.ts',
    edits: [
      {
        from: "if (this.#at.phase !== 'copying' || this.replication.durableSequence() < this.#history.sequence) return;",
        to: "if (this.#at.phase !== 'copying') return;",
      },
    ],
  },
  {
    name: 'acknowledges-before-active',
    room,
    what: 'A host acknowledges tasks before the log calls its epoch active: the next recovery asks other holders.',
    file: 'node/core/instance.ts',
    edits: [
      {
        from: "if (this.#at.phase !== 'active' || !this.runner.isReady)",
        to: "if ((this.#at.phase !== 'active' && this.#at.phase !== 'copying') || !this.runner.isReady)",
      },
      {
        from: "if (this.#at.phase !== 'active' || !this.#events.mayAcknowledge()) return;",
        to: "if ((this.#at.phase !== 'active' && this.#at.phase !== 'copying') || !this.#events.mayAcknowledge()) return;",
      },
    ],
  },
  {
    name: 'results-not-recovered',
    room,
    what: 'A new host does not take over the results: a task that is sent again takes effect twice.',
    file: 'node/core/instance-start.ts',
    edits: [
      {
        from: 'tasks.restore(best.results, isReady);',
        to: 'tasks.restore([], isReady);',
      },
    ],
  },
  {
    name: 'full-copy-without-results',
    room,
    what: 'A whole copy carries the state and forgets the results: the second failover after a task makes it count twice.',
    file: 'node/core/replication.ts',
    edits: [{ from: 'results: step?.results ?? this.#source.all(),', to: 'results: step?.results ?? [],' }],
  },
  {
    name: 'results-not-on-disk',
    room,
    what: 'Holders keep results in memory alone: after a loss of power tasks that are sent again take effect twice.',
    file: 'node/core/stored-results.ts',
    edits: [
      {
        from: 'for (const result of results) {\n      writes.push(writeResult(this.#agent, result, this.#number));',
        to: 'for (const result of results) {',
      },
    ],
  },
  {
    name: 'results-in-a-table-that-nobody-names',
    room,
    what: 'The record of a state that came in parts does not name the table to which its results were written ahead: after a start they are taken for what is left of a copy.',
    file: 'node/core/holder.ts',
    edits: [{ from: 'if (results.number > 0) record.table = results.number;', to: '' }],
  },
  {
    name: 'crash-restarts-from-nothing',
    room,
    what: 'An instance that crashed is started anew without its state.',
    file: 'node/core/instance-start.ts',
    edits: [{ from: 'runner.start(hasState ?', to: 'runner.start(hasState && isNew ?' }],
  },
  {
    name: 'read-without-confirmation',
    room,
    what: 'A read is answered by the host alone: one that was replaced and does not know it shows an old state, as etcd once did.',
    file: 'node/core/state-reads.ts',
    edits: [{ from: 'const needed = this.#quorum(this.#holders.length);', to: 'const needed = this.#quorum(1);' }],
    seedsMax: 500,
  },
  {
    name: 'dirty-read',
    room,
    what: 'A read shows what no majority keeps yet, and what may never have been: the dirty reads that Jepsen found in so many stores.',
    file: 'node/core/state-reads.ts',
    edits: [
      {
        from: 'answer.sequence <= durableSequence && confirmed.size >= needed;',
        to: 'answer.sequence <= durableSequence + 1_000 && confirmed.size >= needed;',
      },
    ],
  },
  {
    name: 'old-confirmation-counts',
    room,
    what: 'A confirmation that was asked for before a read counts for it: the epoch may have been over since.',
    file: 'node/core/state-reads.ts',
    edits: [{ from: 'if (read.round <= round) read', to: 'if (read.round <= round + 1_000) read' }],
  },
  {
    name: 'holder-answers-for-a-later-step',
    room,
    what: 'The answer to a step that came twice names the newest step, whose write is still on its way. A bug of this program.',
    file: 'node/core/holder.ts',
    edits: [
      {
        from: 'answer({ ...reply, sequence: kept, accepted: true })',
        to: 'answer({ ...reply, sequence: held.sequence, accepted: true })',
      },
    ],
  },
  {
    name: 'copy-ends-one-part-early',
    room,
    what: 'A state that comes part by part is taken for whole while a part is missing.',
    file: 'node/core/state-copy.ts',
    edits: [{ from: 'return this.#missing === 0;', to: 'return this.#missing <= 1;' }],
  },
  {
    name: 'copy-confirmed-before-the-disk',
    room,
    what: 'A holder confirms a state that came in parts before the write that makes it its own.',
    file: 'node/core/holder.ts',
    edits: [
      {
        from: 'this.#keep(held, writes, offer, () => answer(reply));',
        to: 'this.#keep(held, writes, offer, () => {});\n      answer(reply);',
      },
    ],
  },
  {
    name: 'changes-during-a-copy-count-as-copied',
    room,
    what: 'When a copy is over the holder is taken to have what changed meanwhile: acknowledged, and on fewer disks than it must be.',
    file: 'node/core/replication.ts',
    edits: [
      {
        from: 'if (answer.accepted) progress.acked = Math.max(progress.acked, answer.sequence);',
        to: 'if (answer.accepted) progress.acked = Math.max(progress.acked, offered === undefined ? answer.sequence : this.#source.newest().sequence);',
      },
    ],
  },
  {
    name: 'parts-of-any-version',
    room,
    what: 'A part is put where it belongs by its number alone: one of an older version of the state gets into the newer.',
    file: 'node/core/state-copy.ts',
    edits: [
      {
        from: 'a.agent === b.agent && a.epoch === b.epoch && a.sequence === b.sequence && a.checksum === b.checksum;',
        to: 'a.agent === b.agent && a.epoch === b.epoch;',
      },
      { from: 'if (!isNamed(name, part)) continue;', to: '' },
    ],
  },
  {
    name: 'part-at-two-places-is-listed-once',
    room,
    what: 'A holder lists each part of a state once, also where two of them are the same. A bug of this program.',
    file: 'node/core/stored-state.ts',
    edits: [{ from: 'StateParts.encode({ parts: list })', to: 'StateParts.encode({ parts: [...numbers.values()] })' }],
  },
  {
    name: 'former-holder-forgets-its-seal',
    room,
    what: 'A node that lets the state of an agent go takes any older epoch again.',
    file: 'node/core/holder.ts',
    edits: [{ from: 'held.sealedEpoch = Math.max(held.sealedEpoch, below);', to: 'held.sealedEpoch = 0;' }],
  },
  {
    name: 'holder-lets-go',
    room,
    what: 'A node that is no host lets the state of an agent go, whether it is a holder or not.',
    file: 'node/core/former-holdings.ts',
    edits: [{ from: 'active.holders.includes(node) || placement.host', to: 'placement.host' }],
  },
  {
    name: 'former-holders-keep-all',
    room,
    what: 'A node looks once, when it starts, whether it is still a holder of what it keeps.',
    file: 'node/core/former-holdings.ts',
    edits: [{ from: 'this.#nextMs = nowMs + lookEveryMs;', to: 'this.#nextMs = Number.POSITIVE_INFINITY;' }],
  },
];
