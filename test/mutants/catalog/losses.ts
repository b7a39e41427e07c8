import type { Mutant } from '../mutant.ts';

const room = 'reconciliation';

/** Defects in how an agent goes on that an operator lets go on without most of its holders. */
export const losses: readonly Mutant[] = [
  {
    name: 'loss-not-waited-out',
    room,
    what: 'An agent is placed as soon as an operator lets it go on: its old host, which hears nothing, still answers.',
    file: 'node/core/fences.ts',
    edits: [
      { from: 'return !isWaiting(agent) || this.#leftMs(agent) === 0;', to: 'return agent.active !== undefined;' },
    ],
    seedsMax: 200,
  },
  {
    name: 'loss-waits-since-the-command',
    room,
    what: 'The wait counts from when the command was sent, by the wall clock of whoever led then.',
    file: 'node/core/fences.ts',
    edits: [
      {
        from: 'sinceMs: this.#context.nowMs, isOver',
        to: 'sinceMs: this.#context.nowMs - (this.#context.wallMs - (agent.loss.atMs ?? 0)), isOver',
      },
    ],
    seedsMax: 1_000,
  },
  {
    name: 'loss-goes-on-from-another-step',
    room,
    what: 'An agent goes on from what another node keeps than the operator was shown.',
    file: 'node/core/agent-recovery-apply.ts',
    edits: [
      {
        from: 'active: { ...active, holders: [from] }',
        to: 'active: { ...active, holders: [state.alive().find(({ node }) => node !== from)?.node ?? from] }',
      },
    ],
    seedsMax: 200,
  },
  {
    name: 'decided-before-the-loss-comes-true-after-it',
    room,
    what: 'A placement that was decided before an operator let the agent go on is taken up after it, without a wait.',
    file: 'node/core/agent-recovery-apply.ts',
    edits: [{ from: 'if (agent.loss?.fenced !== true ||', to: 'if (agent.loss?.fenced !== null ||' }],
    seedsMax: 1_000,
  },
];
