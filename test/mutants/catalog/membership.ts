import type { Mutant } from '../mutant.ts';

const room = 'membership';

/** Defects in how a cluster begins, who belongs to it, and who is taken for dead. */
export const membership: readonly Mutant[] = [
  {
    name: 'refusal-counts-as-pledge',
    room,
    what: 'A founder counts every answer as a pledge: two founders begin two clusters, as with any bootstrap by counting peers.',
    file: 'node/core/founding.ts',
    edits: [
      {
        from: 'if (this.#founds || this.#pledge !== this.#context.self || !granted || round < this.#attemptRound) return;',
        to: 'if (this.#founds || this.#pledge !== this.#context.self || (!granted && round < this.#attemptRound)) return;',
      },
    ],
  },
  {
    name: 'pledge-to-every-founder',
    room,
    what: 'A node that has given its pledge gives it to the next founder as well.',
    file: 'node/core/founding.ts',
    edits: [
      {
        from: "const free = this.#pledge === '' && lower === undefined && this.#expect > 0;",
        to: 'const free = this.#pledge !== from && lower === undefined && this.#expect > 0;',
      },
    ],
  },
  {
    name: 'dead-stay-dead',
    room,
    what: 'A node that was declared dead while it was only cut off is not admitted again before it restarts.',
    file: 'node/core/membership.ts',
    edits: [
      {
        from: 'if (state.sessionOf(node, start) !== undefined) return;',
        to: 'if ((state.members.get(node)?.boot ?? 0) >= boot) return;',
      },
    ],
  },
  {
    name: 'join-asked-once',
    room,
    what: 'A node asks to be admitted once: when that is lost, or the leader is, it waits for ever.',
    file: 'node/core/membership.ts',
    edits: [
      {
        from: 'else if (!this.isMember() && nowMs - this.#askedMs >= settings.retryIntervalMs) this.#askToJoin();',
        to: 'else if (!this.isMember() && this.#askedMs === Number.NEGATIVE_INFINITY) this.#askToJoin();',
      },
    ],
  },
  {
    name: 'restart-unnoticed',
    room,
    what: 'A host that restarted counts as the same one: nobody notices that its agents went with its memory.',
    file: 'node/core/cluster-state.ts',
    edits: [
      {
        from: "return host?.membership === 'alive' && host.boot === placement.boot;",
        to: "return host?.membership === 'alive' && host.boot >= placement.boot;",
      },
    ],
  },
  {
    name: 'start-number-reused',
    room,
    what: 'The number of a start is not written down: every life of a node after the first looks like the one before.',
    file: 'node/core/node.ts',
    edits: [
      {
        from: 'context.out.persist([writeJson(keys.boot, context.boot)]);',
        to: 'context.out.persist([writeJson(keys.boot, restored.boot)]);',
      },
    ],
  },
  {
    name: 'suspicion-never-lifted',
    room,
    what: 'An accuser does not take back its suspicion when it hears the accused again: refutation ignored, as in SWIM without it.',
    file: 'node/core/detector.ts',
    edits: [
      {
        from: 'if (watched.suspect) this.#acquit(watched);',
        to: 'if (watched.suspect && watched.incarnation < 0) this.#acquit(watched);',
      },
    ],
  },
  {
    name: 'gives-up-dialling',
    room,
    what: 'A node that could not be reached once is not dialled again: after a long cut the halves never meet.',
    file: 'node/core/peers.ts',
    edits: [
      {
        from: "known.triedMs = nowMs;\n      out.push({ type: 'dial'",
        to: "known.triedMs = Number.POSITIVE_INFINITY;\n      out.push({ type: 'dial'",
      },
    ],
  },
  {
    name: 'dead-never-buried',
    room,
    what: 'One accuser more is asked for than there are witnesses: in a small cluster nobody is ever declared dead.',
    file: 'node/core/manager.ts',
    edits: [
      {
        from: 'if (accusers.length < Math.max(1, Math.min(settings.accusersMin, watchers))) continue;',
        to: 'if (accusers.length <= Math.max(1, Math.min(settings.accusersMin, watchers))) continue;',
      },
    ],
  },
  {
    name: 'cluster-forgotten-on-restart',
    room,
    what: 'A node does not write down which cluster it joined: after a restart it waits for one to be founded.',
    file: 'node/core/node.ts',
    edits: [
      {
        from: 'this.#context.out.persist([writeJson(keys.cluster, cluster)]);',
        to: 'this.#context.out.persist([]);',
      },
    ],
  },
  {
    name: 'refuted-by-nobody-it-knows',
    room,
    what: 'Who started after a node refuted accusations does not learn of it, and accuses it of what is refuted: nobody counts that.',
    file: 'node/core/detector.ts',
    edits: [
      {
        from: 'if (rumor.incarnation > known) this.onIntroduced',
        to: 'if (rumor.incarnation > known + 1_000) this.onIntroduced',
      },
    ],
  },
  {
    name: 'voters-let-go-blindly',
    room,
    what: 'A dead voter is let go although those that remain are no majority that answers.',
    file: 'node/core/voters.ts',
    edits: [
      {
        from: 'return answering >= majorityOf(remaining.length);',
        to: 'return answering > 0;',
      },
    ],
  },
  {
    name: 'others-forgotten-on-restart',
    room,
    what: 'A node that starts again tries only those that it was told to join through, who may be gone for good. A bug of this program.',
    file: 'node/core/membership.ts',
    edits: [
      { from: 'of [...this.#decisions.state.members.values(), ...joinsIn(entries)]) {', to: 'of joinsIn([])) {' },
    ],
  },
];
