import type { Mutant } from '../mutant.ts';

const room = 'placement';

/** Defects in what the log lets stand: who may host and hold, and from where a recovery begins. */
export const placement: readonly Mutant[] = [
  {
    name: 'dead-host-accepted',
    room,
    what: 'The log accepts a placement on a node that died after it was proposed: checked by the proposer, not where it counts.',
    file: 'node/core/apply.ts',
    edits: [
      {
        from: "if (host?.membership !== 'alive' || host.boot !== command.boot) return 'the host is not alive';",
        to: "if (host === undefined || host.membership === 'left') return 'the host is not alive';",
      },
    ],
  },
  {
    name: 'counts-only-running-agents',
    room,
    what: 'Agents that are placed and not yet active do not count: a node gets more of them than it may have.',
    file: 'node/core/cluster-state.ts',
    edits: [{ from: 'const host = agent.placement?.host;', to: 'const host = agent.active?.host;' }],
  },
  {
    name: 'full-node-chosen',
    room,
    what: 'A strategy takes a node that has its most agents for one with room: the log refuses it, again and again.',
    file: 'strategies/feasibility.ts',
    edits: [
      {
        from: 'rejects: (candidate) => candidate.agents >= candidate.agentsMax,',
        to: 'rejects: (candidate) => candidate.agents > candidate.agentsMax,',
      },
    ],
  },
  {
    name: 'capability-overlooked',
    room,
    what: 'One of the wanted capabilities is enough for a strategy: the log refuses the node, and the agent waits for ever.',
    file: 'strategies/feasibility.ts',
    edits: [
      {
        from: 'missingOf(candidate, need).length > 0,',
        to: 'missingOf(candidate, need).length > 1,',
      },
    ],
  },
  {
    name: 'version-overlooked',
    room,
    what: 'Any version of a capability will do, whatever range of them was asked for: for the strategies and for the log.',
    file: 'strategies/capability.ts',
    edits: [
      {
        from: 'return have.name === want.name && fits[want.relation]?.(compare(have.version, want.version)) === true;',
        to: 'return have.name === want.name;',
      },
    ],
  },
  {
    name: 'last-active-epoch-forgotten',
    room,
    what: 'A new placement forgets which epoch was the last active one: the next host begins from nothing.',
    file: 'node/core/apply.ts',
    edits: [
      {
        from: 'state.changeAgent(agent, { placement, capabilities,',
        to: 'state.changeAgent(agent, { placement, active: undefined, capabilities,',
      },
    ],
  },
  {
    name: 'unfinished-epoch-recovered',
    room,
    what: 'A recovery begins from the placement before it, whether or not that one ever had the state: reconfiguration without a chain of custody.',
    file: 'node/core/apply.ts',
    edits: [
      {
        from: 'state.changeAgent(agent, { placement, capabilities,',
        to: 'state.changeAgent(agent, { placement, active: agent.active && agent.placement, capabilities,',
      },
    ],
  },
  {
    name: 'activation-of-another-epoch',
    room,
    what: 'A late word that an epoch is copied makes a newer one active, which has nothing yet.',
    file: 'node/core/apply.ts',
    edits: [
      {
        from: "if (agent?.placement?.epoch !== epoch) return refuse('the placement was decided anew meanwhile');",
        to: "if (agent?.placement === undefined) return refuse('the placement was decided anew meanwhile');",
      },
    ],
  },
  {
    name: 'deploy-takes-effect-twice',
    room,
    what: 'A deployment that is sent again under the same request deploys again.',
    file: 'node/core/apply.ts',
    edits: [
      {
        from: 'if (remembered !== undefined) return done(',
        to: 'if (remembered !== undefined && remembered.length === 0) return done(',
      },
    ],
  },
  {
    name: 'dead-nodes-are-candidates',
    room,
    what: 'Nodes that died count as living when a place is looked for: the log refuses them, again and again.',
    file: 'node/core/cluster-state.ts',
    edits: [
      {
        from: ".filter((member) => member.membership === 'alive');",
        to: ".filter((member) => member.membership !== 'left');",
      },
    ],
  },
  {
    name: 'needs-forgotten',
    room,
    what: 'What an agent needs of its host is looked at when it is deployed, and not kept: it is placed where that is not.',
    file: 'node/core/apply.ts',
    edits: [
      {
        from: 'const capabilities = neededCapabilities(command.capabilities, type ?? {});',
        to: 'const capabilities = neededCapabilities([], type ?? {});',
      },
    ],
  },
  {
    name: 'sites-forgotten',
    room,
    what: 'Holders are chosen without a look at where they stand: all of an agent are lost with one site. Racks in the defaults of HDFS.',
    file: 'node/core/spread.ts',
    edits: [{ from: 'if (!this.#sites.has(site)) return 2;', to: 'if (this.#sites.size === 0) return 2;' }],
  },
  {
    name: 'machines-not-looked-at',
    room,
    what: 'Holders are chosen by their sites alone: all of them may be containers on one machine.',
    file: 'node/core/spread.ts',
    edits: [{ from: 'return this.#machines.has(machine) ? 0 : 1;', to: 'return this.#machines.has(machine) ? 0 : 0;' }],
  },
];
