import type { Mutant } from '../mutant.ts';

const room = 'messaging';

/** Defects in how tasks, requests and effects travel: answered too early, twice, or as what they are not. */
export const messaging: readonly Mutant[] = [
  {
    name: 'one-sync-answers-for-all',
    room,
    what: 'When one batch is on disk, those behind it count as written, too: an fsync taken for more than it was.',
    file: 'node/core/outbox.ts',
    edits: [{ from: 'if (pending > id) break;', to: 'if (pending > id + 1_000) break;' }],
  },
  {
    name: 'promises-overtake-the-disk',
    room,
    what: 'Messages that rest on a write leave before it: votes and answers of a node that then loses its power.',
    file: 'node/core/outbox.ts',
    edits: [{ from: 'message, urgent: false,', to: 'message, urgent: true,' }],
  },
  {
    name: 'queued-twice-runs-twice',
    room,
    what: 'A task that waits in the queue twice runs twice: whether it is done already is looked at when it comes, not when it runs.',
    file: 'node/core/agent-tasks.ts',
    edits: [
      {
        from: 'if (known !== undefined && this.#isAnswered(task, known)) {',
        to: 'if (known !== undefined && task.retry) {',
      },
    ],
  },
  {
    name: 'deadline-overlooked',
    room,
    what: 'A task whose deadline has passed is run all the same: its host thinks that it has ten times as long.',
    file: 'node/core/node.ts',
    edits: [
      { from: 'deadlineMs: this.#context.nowMs + ttlMs };', to: 'deadlineMs: this.#context.nowMs + 10 * ttlMs };' },
    ],
  },
  {
    name: 'given-twice',
    room,
    what: 'A task that two nodes asked for is given to the code behind itself: it is done twice.',
    file: 'node/core/agent-tasks.ts',
    edits: [{ from: "if (this.isRunning(task.task)) return 'waits';", to: '' }],
  },
  {
    name: 'given-back-is-forgotten',
    room,
    what: 'What the code gives back is not begun again: nobody is ever answered.',
    file: 'node/core/agent-tasks.ts',
    edits: [
      {
        from: 'this.#putBack(this.#running.giveBack(ids, this.#context.nowMs));',
        to: 'this.#running.giveBack(ids, this.#context.nowMs);',
      },
    ],
  },
  {
    name: 'given-back-is-overtaken',
    room,
    what: 'Once the task that the code is at has ended, a host does not wait any more for those that it asked back: others overtake them, however urgent they are.',
    file: 'node/core/running-tasks.ts',
    edits: [
      {
        from: 'if (ended === undefined) return undefined;',
        to: 'if (ended === undefined) return undefined;\n    this.#isRecalled = false;',
      },
    ],
  },
  {
    name: 'behind-a-crash-is-forgotten',
    room,
    what: 'What stood behind the task that crashed an agent is not begun again.',
    file: 'node/core/agent-tasks.ts',
    edits: [{ from: 'this.#putBack(isTried ? behind :', to: 'this.#putBack(isTried ? [] :' }],
  },
  {
    name: 'unknown-taken-for-failed',
    room,
    what: 'A host that says "not now" is taken to say that the task failed, though it may have taken effect: the indefinite error of Jepsen.',
    file: 'node/core/tasks.ts',
    edits: [
      {
        from: 'pending.sentTo = undefined;\n    }\n  }\n\n  onProgress',
        to: 'this.#settle(pending, refusal(errors.taskFailed({ agent, task, reason: code })));\n    }\n  }\n\n  onProgress',
      },
    ],
  },
  {
    name: 'answered-twice',
    room,
    what: 'A request that was answered at its deadline is answered again when its outcome comes.',
    file: 'node/core/requests.ts',
    edits: [
      {
        from: 'if (this.#pending.get(pending.id) !== pending) return;',
        to: 'if (pending.tries === 0) return;',
      },
    ],
  },
  {
    name: 'unread-log-taken-for-nothing',
    room,
    what: 'A leader that has not read its log yet says that an agent does not exist.',
    file: 'node/core/requests.ts',
    edits: [
      {
        from: 'if (!this.#decisions.mayLead()) return done(notReady);',
        to: 'if (!this.#decisions.mayLead()) return done({ ok: false, error: toErrorBody(errors.agentUnknown({ agent })) });',
      },
    ],
  },
  {
    name: 'passed-on-twice-done-twice',
    room,
    what: 'A command that was passed on and comes a second time is done again, whatever happened since. A bug of this program.',
    file: 'node/core/apply-once.ts',
    edits: [{ from: 'if (by === undefined) return', to: 'if (by !== null) return' }],
  },
  {
    name: 'time-begins-anew',
    room,
    what: 'A request that is tried again has all of its time again. A bug of this program.',
    file: 'node/core/requests.ts',
    edits: [
      {
        from: "if (!('ttlMs' in operation)) return operation;",
        to: "if (deadlineMs > Number.NEGATIVE_INFINITY || !('ttlMs' in operation)) return operation;",
      },
    ],
  },
  {
    name: 'replaced-leader-denies-agents',
    room,
    what: 'A leader that was replaced and does not know it says that an agent does not exist. A bug of this program.',
    file: 'node/core/requests.ts',
    edits: [
      {
        from: 'const isUnknown = leads && ',
        to: 'const isUnknown = (leads || !leads) && ',
      },
    ],
  },
  {
    name: 'letter-leaves-too-early',
    room,
    what: 'What an agent sends to another one leaves before the step that it was sent with is durable: a step that is lost is done again, and sends it again under another id.',
    file: 'node/core/mail.ts',
    edits: [{ from: 'if (letter.sequence <= durableSequence && !this', to: 'if (!this' }],
  },
  {
    name: 'letters-forgotten-too-early',
    room,
    what: 'What became of a letter is forgotten when the next one of its sender comes, whether it has settled or not: sent again, it is done twice.',
    file: 'node/core/letter-results.ts',
    edits: [{ from: 'if (other.step >= below) continue;', to: 'if (other.step > below) continue;' }],
  },
  {
    name: 'letters-called-settled-too-early',
    room,
    what: 'A sender calls settled all that is older than its newest letter: one that was overtaken is taken for done, and lost.',
    file: 'node/core/letter-marks.ts',
    edits: [{ from: 'Math.min(step, lowest.get(key) ?? step)', to: 'Math.max(step, lowest.get(key) ?? step)' }],
  },
  {
    name: 'settled-letters-done-again',
    room,
    what: 'A late copy of a letter that its sender has settled, so that nothing of it is kept, is done as a new one.',
    file: 'node/core/letter-results.ts',
    edits: [{ from: 'letter.step < (this.#senders.get(letter.sender)?.below ?? 0)', to: 'letter.step < 0' }],
  },
  {
    name: 'senders-confused',
    room,
    what: 'Agents that were made by one command give what they send the same ids: one is taken for the other, and lost.',
    file: 'node/core/mail.ts',
    edits: [
      {
        from: "return `${agent.replace('~', ':')}:${created}",
        to: 'return `${agent.length - agent.length}:${created}',
      },
    ],
  },
  {
    name: 'parts-of-a-branch-confused',
    room,
    what: 'Parts of a branch give what they send the same ids, step by step: merged, one is taken for the other, and lost.',
    file: 'node/core/mail.ts',
    edits: [{ from: 'branch === undefined ? wentOnAt : epoch', to: 'wentOnAt' }],
    seedsMax: 1_000,
  },
  {
    name: 'letters-of-a-branch-dropped',
    room,
    what: 'What the tasks of a branch sent is left out when the branch becomes part of the history.',
    file: 'node/core/branch-copy.ts',
    edits: [
      {
        from: 'const letters = theirs.letters.filter(isOpen)',
        to: 'const letters = theirs.letters.filter((letter) => here.has(letter.id))',
      },
    ],
  },
  {
    name: 'cancelled-at-the-door-alone',
    room,
    what: 'A task that waits at the node that was asked is called cancelled, and its host is not told: it may be on its way there.',
    file: 'node/core/host-asks.ts',
    edits: [
      {
        from: 'else if (this.#instance(agent)?.cancel(task, ended, true) !== true) answer({ ok: false, error: notReady });',
        to: "else if (this.#instance(agent) !== undefined) ended({ ok: true, was: 'waiting' });\n      else answer({ ok: false, error: notReady });",
      },
    ],
  },
  {
    name: 'key-overtaken',
    room,
    what: 'A task is sent before the earlier ones of its key are answered: one that finds the host overtakes one that does not.',
    file: 'node/core/requests.ts',
    edits: [{ from: ' || (key !== undefined && !this.#keyed.isFirst(key, pending))) return;', to: ') return;' }],
  },
  {
    name: 'type-means-all-of-it',
    room,
    what: 'What is sent to one agent of a type goes to each of them.',
    file: 'node/core/addressing.ts',
    edits: [
      {
        from: 'return chosen === undefined ? [] : [chosen];',
        to: 'return key === undefined ? agents : [chosen ?? key];',
      },
    ],
  },
  {
    name: 'key-not-looked-at',
    room,
    what: 'What is sent by a key goes to whichever agent of the type has little to do.',
    file: 'node/core/addressing.ts',
    edits: [
      { from: 'key === undefined ? this.#leastBusy(agents) : chosenBy(key, agents)', to: 'this.#leastBusy(agents)' },
    ],
  },
  {
    name: 'subscribers-share-an-id',
    room,
    what: 'What is published has one id for all who get it: when one of them has answered, it counts as settled for the others, too.',
    file: 'node/core/mail.ts',
    edits: [
      { from: 'letterId(this.#sender, sequence, place, i)', to: 'letterId(this.#sender, sequence, place, 0 * i)' },
    ],
  },
  {
    name: 'published-to-who-answers-now',
    room,
    what: 'What is published goes to those who have answered in their present place alone: one that is being recovered never gets it.',
    file: 'node/core/addressing.ts',
    edits: [
      {
        from: 'return this.#byTopic.get(to.topic) ?? [];',
        to: 'return (this.#byTopic.get(to.topic) ?? []).filter((id) => Number.isFinite(this.#waitsAt(id)));',
      },
    ],
  },
  {
    name: 'time-of-day-fires-again',
    room,
    what: 'A timer of a time of day is not over when it has fired: it fires once more.',
    file: 'node/core/mail.ts',
    edits: [
      {
        from: 'if (everyMs === undefined) return [];',
        to: "if (everyMs === undefined) return timer.withinMs === undefined && !id.endsWith('!') ? [{ ...timer, id: `${id}!` }] : [];",
      },
    ],
  },
  {
    name: 'time-of-day-comes-too-early',
    room,
    what: 'A timer of a time of day fires some seconds before its time.',
    file: 'node/core/mail.ts',
    edits: [
      {
        from: 'if (withinMs === undefined) return atMs <= wallMs;',
        to: 'if (withinMs === undefined) return atMs <= wallMs + 4_000;',
      },
    ],
  },
  {
    name: 'missed-times-all-come',
    room,
    what: 'The times of a repeated timer that passed while its agent was nowhere all come, one right after the other.',
    file: 'node/core/mail.ts',
    edits: [
      {
        from: 'Math.max(1, Math.ceil((this.#context.wallMs - atMs) / everyMs))',
        to: 'Math.max(1, Math.sign(this.#context.wallMs))',
      },
    ],
  },
  {
    name: 'missed-time-ends-the-timer',
    room,
    what: 'A repeated timer some times of which passed while its agent was nowhere is taken for one that is over.',
    file: 'node/core/mail.ts',
    edits: [
      {
        from: 'if (everyMs === undefined) return [];',
        to: 'if (everyMs === undefined || atMs + 9 * everyMs < this.#context.wallMs) return [];',
      },
    ],
  },
  {
    name: 'topics-learned-once',
    room,
    what: 'A node that has looked up once who has a topic never learns who got or lost it since.',
    file: 'node/core/addressing.ts',
    edits: [{ from: "'agentDeleted', topicsChanged]", to: "'agentDeleted', `${topicsChanged}!`]" }],
  },
];
