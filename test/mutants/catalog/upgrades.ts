import type { Mutant } from '../mutant.ts';

const room = 'reconciliation';

/** Defects in how versions of agents' code come and go, and in what is told of agents that fail. */
export const upgrades: readonly Mutant[] = [
  {
    name: 'host-runs-the-present-version',
    room,
    what: "A host runs the present version of an agent's type, whatever the log placed it in.",
    file: 'node/core/hosting.ts',
    edits: [{ from: 'const version = versionOf(agent);', to: 'const version = versionOf(type ?? {});' }],
  },
  {
    name: 'version-of-a-state-forgotten',
    room,
    what: 'A state that a new version wrote still says that the old one wrote it: it is migrated twice.',
    file: 'node/core/step-changes.ts',
    edits: [{ from: 'const version = ok ? state.turnedTo : undefined;', to: 'const version = undefined;' }],
  },
  {
    name: 'no-way-back-taken',
    room,
    what: 'An older version is started from the state that a newer one wrote as if it were its own.',
    file: 'node/core/version-change.ts',
    edits: [{ from: 'if (from === to) return undefined;', to: 'if (from >= to) return undefined;' }],
  },
  {
    name: 'rollout-ends-with-agents-left',
    room,
    what: 'A rollout that goes back is over before its agents have gone back.',
    file: 'node/core/rollout-apply.ts',
    edits: [
      {
        from: 'return answers && versionOf(agent) === (upgrade.stays === undefined ? upgrade.from : to);',
        to: 'return answers && versionOf(agent) <= Math.max(upgrade.from, to);',
      },
    ],
  },
  {
    name: 'left-on-the-way-back',
    room,
    what: 'A rollout goes on without an agent that was to go back and has not answered: nobody gives it code for its state any more.',
    file: 'node/core/rollouts.ts',
    edits: [
      { from: 'if (isOnItsWayBack(agent, rollout)) continue;', to: '' },
      { from: ': this.#whyNeverBack(agent, rollout);', to: ': undefined;' },
    ],
  },
  {
    name: 'crash-loop-never-over',
    room,
    what: 'An agent that was in a crash loop is said to be in one for ever.',
    file: 'node/core/crash-loops.ts',
    edits: [{ from: 'if (crashLoop !== undefined) this.#propose(', to: 'if (crashLoop === null) this.#propose(' }],
  },
  {
    name: 'version-that-wrote-is-dropped',
    room,
    what: 'The version that wrote the state of an agent, which was left on its way back, is dropped: it fails for ever.',
    file: 'node/core/type-version.ts',
    edits: [{ from: '    needed.add(agent.writtenBy);\n', to: '' }],
  },
];
