import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { SignJWT } from 'jose';
import { ReportLog } from '../../node/api/report-log.ts';
import { createServer, type ServerInit } from '../../node/api/server.ts';
import type { BranchEntry } from '../../node/core/branch.ts';
import type { DrainView } from '../../node/core/drain.ts';
import { type ConclaveError, toErrorBody } from '../../node/core/errors.ts';
import type {
  AgentView,
  LeaderView,
  NodeView,
  Operation,
  OperationType,
  Outcome,
  Results,
} from '../../node/core/operation.ts';
import type { RolloutView, TypeView } from '../../node/core/rollout-view.ts';

const keys = generateKeyPairSync('ed25519');
export const privateKey = keys.privateKey;
export const publicKeyPem = keys.publicKey.export({ type: 'spki', format: 'pem' }).toString();

export interface TokenParts {
  key?: KeyObject | Uint8Array;
  alg?: string;
  typ?: string | undefined;
  issuer?: string;
  audience?: string;
  expires?: string | undefined;
}

/** A token as `conclave token` makes it, but for what `parts` changes. */
export async function makeToken(parts: TokenParts = {}): Promise<string> {
  const { key = privateKey, alg = 'EdDSA', issuer = 'conclave', audience = 'conclave-admin' } = parts;
  const typ = 'typ' in parts ? parts.typ : 'at+jwt';
  const expires = 'expires' in parts ? parts.expires : '1h';
  const token = new SignJWT()
    .setProtectedHeader({ alg, ...(typ === undefined ? {} : { typ }) })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject('operator')
    .setIssuedAt();
  return (expires === undefined ? token : token.setExpirationTime(expires)).sign(key);
}

export const leader: LeaderView = { id: '12D3KooWnodeone1', name: 'node-1', admin: 'http://127.0.0.1:1', term: 7 };

export function nodeView(number: number, changes: Partial<NodeView> = {}): NodeView {
  return {
    id: `12D3KooWnode${['zero', 'one', 'two', 'three'][number]}${number}`,
    name: `node-${number}`,
    admin: `http://127.0.0.1:${number}`,
    addresses: ['/ip4/127.0.0.1/tcp/7000'],
    site: 'default',
    machine: 'm1',
    capabilities: ['gpu'],
    membership: 'alive',
    reachable: true,
    status: 'active',
    voter: number < 3,
    voterReason: number < 3 ? 'founder' : '3 voters are enough',
    leader: number === 1,
    agents: 1,
    agentsMax: 100,
    drain: undefined,
    load: { cpu: 0.25, memoryBytes: 96 * 1024 * 1024, loopDelayMs: 1.5, tasksPerS: 10, queueDepth: 0 },
    ...changes,
  };
}

export const drainView = (changes: Partial<DrainView> = {}): DrainView => ({
  ...{ stopping: false, deadlineMs: undefined, overdue: false, done: false, agents: 1, states: 2 },
  ...{ waitsFor: ['agent counter: it is to be moved next'], kept: [], ...changes },
});

export function agentView(id: string, changes: Partial<AgentView> = {}): AgentView {
  return {
    id,
    type: 'counter',
    strategy: 'least_loaded',
    status: 'active',
    host: nodeView(2).id,
    hostName: 'node-2',
    epoch: 12,
    holders: [nodeView(1).id, nodeView(2).id],
    holdersWanted: 3,
    topics: [],
    capabilities: [],
    decision: {
      strategy: 'least_loaded',
      node: nodeView(2).id,
      ranked: [{ node: nodeView(2).id, name: 'node-2', score: 0.9, why: 'cpu 10 %' }],
      rejected: [{ node: nodeView(3).id, name: 'node-3', reason: 'it is draining' }],
    },
    reason: 'deployed',
    migration: undefined,
    migrationEnd: undefined,
    failures: undefined,
    stuck: undefined,
    loss: undefined,
    ...changes,
  };
}

export const branchEntry = (id: string, number: number): BranchEntry => ({
  ...{ id, number, base: { epoch: 7, sequence: 3, checksum: 1 }, sequence: 5, host: nodeView(1).id },
  ...{ keepers: [nodeView(1).id], sinceMs: 1_000, untilMs: 2_000, tasks: 2 },
  end: { outcome: 'forked', reason: 'its code has no merge function', steps: 4, index: 40 },
});

export const rolloutView = (changes: Partial<RolloutView> = {}): RolloutView => ({
  ...{ since: 40, sinceMs: 1_700_000_000_000, from: 1, to: 2, phase: 'forward', maxFailures: 2, settleMs: 10_000 },
  ...{ reason: undefined, failed: undefined, counts: { settling: 1, pending: 1 } },
  agents: [{ agent: 'counter', version: 2, progress: 'settling', reason: undefined }],
  ...changes,
});

export const agentTypeView = (changes: Partial<TypeView> = {}): TypeView => ({
  ...{ type: 'counter', runtime: 'worker threads', version: 1, previous: undefined },
  ...{ versions: [{ version: 1, agents: 2 }], rollout: undefined, rolloutEnd: undefined },
  ...changes,
});

type Answers = {
  [T in OperationType]?: (
    operation: Extract<Operation, { type: T }>,
  ) => Results[T] | ConclaveError | Promise<Results[T]>;
};

const defaults: Required<Answers> = {
  lead: ({ node }) => ({ node, from: nodeView(1).id }),
  status: () => ({
    cluster: 'c1',
    mode: 'quorum',
    self: nodeView(1).id,
    leader,
    nodes: [nodeView(1), nodeView(2), nodeView(3)],
    agents: [agentView('counter')],
    index: 42,
  }),
  nodes: () => [nodeView(1), nodeView(2), nodeView(3)],
  agents: () => [agentView('counter')],
  agent: ({ agent }) => agentView(agent),
  deploy: ({ name, agentType, count }) => {
    const base = name ?? agentType;
    return {
      agents: count === 1 ? [agentView(base)] : Array.from({ length: count }, (_, i) => agentView(`${base}-${i + 1}`)),
    };
  },
  upgrade: () => ({ type: agentTypeView({ rollout: rolloutView() }) }),
  cancelUpgrade: () => ({
    type: agentTypeView({ rollout: rolloutView({ phase: 'back', reason: 'an operator cancelled it' }) }),
  }),
  agentTypes: () => [agentTypeView()],
  agentType: ({ agentType }) => agentTypeView({ type: agentType }),
  delete: ({ agent }) => ({ agent }),
  tasks: ({ agent }) => ({
    agent,
    running: { task: 'now', forMs: 12 },
    waiting: 2,
    first: [
      { task: 'later', priority: 5, key: '' },
      { task: 'behind', priority: 5, key: 'k', door: 'n2', doorName: 'node-2' },
    ],
    setAside: [{ task: 'poison', tries: 3, reason: 'its thread ended with code 1', bytes: 17 }],
    meanTaskMs: 1.5,
  }),
  doorTasks: ({ agent }) => ({ agent, waiting: 0, first: [] }),
  taskCancel: ({ agent, task }) => ({ agent, task, was: 'waiting' }),
  migrate: ({ agent, target }) => ({ agent: agentView(agent, { host: target }) }),
  recoverAgent: ({ agent, from = 'n1', epoch, sequence }) => ({
    ...{ agent, from, epoch, sequence, missing: ['n2', 'n3'], lost: 2 },
    text: '2 acknowledged steps are known to be lost',
  }),
  cancelMigration: ({ agent }) => ({ agent: agentView(agent) }),
  setTopics: ({ agent, topics }) => ({ agent: agentView(agent, { topics }) }),
  drain: ({ node, deadlineMs }) => ({
    node: nodeView(3, { id: node, status: 'draining', drain: drainView({ deadlineMs }) }),
  }),
  undrain: ({ node }) => ({ node: nodeView(3, { id: node }) }),
  task: ({ agent, task }) => ({ agent, task, value: new TextEncoder().encode('{"totalCount":3}') }),
  state: ({ agent }) => ({ agent, epoch: 12, sequence: 5, state: new TextEncoder().encode('{"totalCount":3}') }),
  fork: ({ agent, fork, number }) => {
    const bytes = new TextEncoder().encode('{"totalCount":3}');
    const letter = { id: '~m:c:7~b1.7-4-0-0', sequence: 4, to: 'ledger', task: { credit: 5 }, priority: 5, key: agent };
    const timer = { name: 'close', id: '~t:c:7~b1.7-4-0', atMs: 60_000, task: { close: true } };
    const wanted = { letters: [letter, { ...letter, reply: { order: 1 } }], timers: [timer], takenBack: ['open'] };
    return { agent, fork, number, base: bytes, state: bytes, ...wanted, branch: branchEntry(fork, number) };
  },
  forkDelete: ({ agent, fork }) => ({ agent, fork }),
  kvPut: ({ key }) => ({ key, index: 43 }),
  kvDelete: ({ key }) => ({ key, index: 44, deleted: true }),
  kvGet: ({ key }) => ({ key, value: new TextEncoder().encode('blue'), index: 43 }),
  kvList: ({ prefix }) => ({ keys: [{ key: `${prefix}a`, index: 43, bytes: 4 }] }),
};

/** A node behind the API that records what it is asked and answers what the test says; everything else is real. */
export class FakeNode {
  readonly asked: Operation[] = [];
  readonly reports = new ReportLog();
  readonly logged: string[] = [];
  leader: LeaderView | undefined = leader;
  readiness = { ready: true, reason: '' };
  answers: Answers = {};
  /** What every task says before it is done, JSON. */
  says: string[] = [];

  serve(changes: Partial<ServerInit> = {}) {
    return createServer({
      ask: (operation, progress) => {
        for (const [i, said] of this.says.entries()) progress?.(i + 1, new TextEncoder().encode(said));
        return this.#answer(operation);
      },
      reports: this.reports,
      ready: () => this.readiness,
      leader: () => this.leader,
      self: nodeView(1).id,
      tokenPublicKeyPem: publicKeyPem,
      builtinTypes: new Map([['counter', 'export default { builtin: true };']]),
      log: (text, details) => void this.logged.push(JSON.stringify({ text, ...details })),
      ...changes,
    });
  }

  async #answer(operation: Operation): Promise<Outcome> {
    this.asked.push(operation);
    const answer = (this.answers[operation.type] ?? defaults[operation.type]) as (o: Operation) => unknown;
    const result = await answer(operation);
    if (result instanceof Error) return { ok: false, error: toErrorBody(result) };
    return { ok: true, result: result as Results[OperationType], asOf: { index: 42, ageMs: 7 } };
  }

  report(index: number, kind = 'agentPlaced', details: Record<string, unknown> = {}): void {
    this.reports.append({ index, atMs: 1_700_000_000_000 + index, kind, text: `${kind} at ${index}`, details });
  }
}
