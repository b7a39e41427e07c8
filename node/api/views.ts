import type { AgentLoss } from '../core/agent-loss.ts';
import type { BranchEntry } from '../core/branch.ts';
import type { Wanted } from '../core/branch-copy.ts';
import type { CrashLoop } from '../core/crash-loop.ts';
import type { DrainView } from '../core/drain.ts';
import type { Report } from '../core/effect.ts';
import type { FailuresView, FenceView, StuckView } from '../core/holder-views.ts';
import type { MigrationView } from '../core/migration.ts';
import type { AgentView, AutonomyView, LeaderView, NodeView, Results, StatusView } from '../core/operation.ts';

/**
 * The form of the core's views in JSON: snake_case, field by field, because a mapping by rule would also rename the
 * keys of what users store. What is unknown is `null`, never left out.
 */
export function leaderJson({ id, name, admin, term }: LeaderView) {
  return { id, name, admin, term };
}

function drainJson({ stopping, deadlineMs, overdue, done, agents, states, waitsFor, kept }: DrainView) {
  return { stopping, deadline_ms: deadlineMs ?? null, overdue, done, agents, states, waits_for: waitsFor, kept };
}

/** How far the drain of a node has come. */
export function nodeDrainJson({ id, name, status, drain }: NodeView) {
  return { id, name, status, drain: drain === undefined ? null : drainJson(drain) };
}

export function nodeJson(node: NodeView) {
  const {
    id,
    name,
    admin,
    addresses,
    site,
    machine,
    capabilities,
    membership,
    reachable,
    status,
    voter,
    leader,
    load,
  } = node;
  return {
    id,
    name,
    admin,
    addresses,
    site,
    machine,
    capabilities,
    membership,
    reachable,
    status,
    voter,
    voter_reason: node.voterReason ?? null,
    leader,
    agents: node.agents,
    agents_max: node.agentsMax,
    drain: node.drain === undefined ? null : drainJson(node.drain),
    load:
      load === undefined
        ? null
        : {
            cpu: load.cpu,
            memory_bytes: load.memoryBytes,
            loop_delay_ms: load.loopDelayMs,
            tasks_per_s: load.tasksPerS,
            queue_depth: load.queueDepth,
          },
  };
}

function decisionJson({ strategy, node, ranked, rejected, omitted, ordered }: NonNullable<AgentView['decision']>) {
  return {
    strategy,
    node: node ?? null,
    ranked: ranked.map(({ node, name, score, why }) => ({ node, name, score, why })),
    rejected: rejected.map(({ node, name, reason }) => ({ node, name, reason })),
    omitted: omitted ?? { ranked: 0, rejected: 0 },
    ordered: ordered === true,
  };
}

function migrationJson({ targetName, sinceMs, bytesCopied, bytes, waitsForTask, ...migration }: MigrationView) {
  const { phase, target, reason, since } = migration;
  return {
    phase,
    target,
    target_name: targetName ?? null,
    reason,
    since,
    since_ms: sinceMs,
    bytes_copied: bytesCopied ?? null,
    bytes: bytes ?? null,
    waits_for_task: waitsForTask ?? null,
  };
}

/** A branch of an agent: what it did, and what became of it. `fork` names it, too, where it is kept as one. */
export function branchJson({ id, number, base, sequence, host, keepers, sinceMs, untilMs, tasks, end }: BranchEntry) {
  return {
    fork: `${id}.${number}`,
    branch: id,
    number,
    base: { epoch: base.epoch, sequence: base.sequence },
    sequence,
    host,
    keepers,
    since_ms: sinceMs,
    until_ms: untilMs,
    tasks,
    main_steps: end?.steps ?? null,
    outcome: end?.outcome ?? null,
    reason: end?.reason ?? null,
  };
}

function autonomyJson({ sinceMs, actingManager, nodes, agents }: AutonomyView) {
  return {
    since_ms: sinceMs,
    acting_manager: actingManager,
    nodes,
    agents: agents.map(({ agent, branch, host, keepers, tasks, reason }) => ({
      ...{ agent, branch: branch ?? null, host: host ?? null, keepers, tasks, reason },
    })),
  };
}

function crashLoopJson({ failures, reason, since, sinceMs, nextMs }: CrashLoop) {
  return { failures, reason, since, since_ms: sinceMs, next_ms: nextMs };
}

function stuckJson({ sinceMs, missing, survivors, last }: StuckView) {
  return {
    since_ms: sinceMs,
    missing: missing.map(({ node, name }) => ({ node, name })),
    survivors: survivors.map(({ node, name, epoch, sequence, ageMs }) => ({
      ...{ node, name, epoch, sequence, age_ms: ageMs },
    })),
    last:
      last === undefined
        ? null
        : { epoch: last.epoch, sequence: last.sequence, age_ms: last.ageMs, idle_ms: last.idleMs },
  };
}

/** What an operator's decision to go on without holders came to. */
export function lossJson({ from, epoch, sequence, missing, lost, knownAgeMs, atMs }: Omit<AgentLoss, 'index'>) {
  return { from, epoch, sequence, missing, lost: lost ?? null, known_age_ms: knownAgeMs ?? null, at_ms: atMs ?? null };
}

/** What an agent waits for that an operator let go on. */
export function waitsJson(waits: FenceView | undefined) {
  if (waits === undefined) return null;
  const { host, hostName, leftMs, text } = waits;
  return { host, host_name: hostName, left_ms: leftMs, text };
}

function failuresJson({ holders, reachable, caughtUp, disks, unreachable, text, ageMs }: FailuresView) {
  return { holders, reachable, caught_up: caughtUp, disks, unreachable, text, age_ms: ageMs };
}

export function agentJson(agent: AgentView) {
  const { id, type, strategy, status, host, hostName, epoch, holders, holdersWanted, topics, capabilities, decision } =
    agent;
  return {
    id,
    type,
    strategy,
    status,
    host: host ?? null,
    host_name: hostName ?? null,
    epoch,
    holders,
    holders_wanted: holdersWanted,
    topics,
    capabilities,
    decision: decision === undefined ? null : decisionJson(decision),
    reason: agent.reason,
    migration: agent.migration === undefined ? null : migrationJson(agent.migration),
    migration_end: agent.migrationEnd ?? null,
    partition: agent.partition ?? 'fenced',
    branches: (agent.branches ?? []).map(branchJson),
    version: agent.version ?? 1,
    crash_loop: agent.crashLoop === undefined ? null : crashLoopJson(agent.crashLoop),
    failures: agent.failures === undefined ? null : failuresJson(agent.failures),
    stuck: agent.stuck === undefined ? null : stuckJson(agent.stuck),
    loss: agent.loss === undefined ? null : lossJson(agent.loss),
    waits: waitsJson(agent.waits),
  };
}

export function statusJson({ cluster, mode, self, leader, nodes, agents, autonomy, index }: StatusView) {
  return {
    cluster,
    mode,
    self,
    leader: leader === undefined ? null : leaderJson(leader),
    nodes: nodes.map(nodeJson),
    agents: agents.map(agentJson),
    autonomy: autonomy === undefined ? null : autonomyJson(autonomy),
    index,
  };
}

export function reportJson({ index, atMs, kind, text, details }: Report) {
  return { index, at_ms: atMs, kind, text, details: snakeKeys(details) };
}

/** The answer to a task as JSON text: the agent's result goes out as the agent wrote it, digit by digit. */
export function taskText({ agent, task, value, provisional, branch }: Results['task']): string {
  const result = jsonOrBase64(value);
  const head = {
    agent,
    task,
    ...(provisional && { provisional, branch }),
    ...(result.encoding === 'json' ? {} : { encoding: result.encoding }),
  };
  return withRaw(head, 'result', result.text);
}

/** What an agent wrote as JSON, or a JSON string of its base64. */
export const jsonText = (value: Uint8Array): string => jsonOrBase64(value).text;

export function agentTasksJson({ agent, running, waiting, first, setAside, meanTaskMs, silent = 0 }: Results['tasks']) {
  return {
    agent,
    running: running === undefined ? null : { task: running.task, for_ms: running.forMs },
    waiting,
    first: first.map(({ door = null, doorName = null, ...task }) => ({ ...task, door, door_name: doorName })),
    silent_nodes: silent,
    set_aside: setAside,
    mean_task_ms: meanTaskMs,
  };
}

/** The answer to a request for an agent's state as JSON text; `encoding` says whether `state` is JSON or base64. */
export function stateText({ agent, epoch, sequence, state, provisional, branch }: Results['state']): string {
  const { encoding, text } = jsonOrBase64(state);
  return withRaw({ agent, epoch, sequence, ...(provisional && { provisional, branch }), encoding }, 'state', text);
}

/** A fork as JSON text: what the branch was, and the states where it parted and where it came to. */
export function forkText({ agent, branch, base, state, ...wanted }: Results['fork']): string {
  const [from, to] = [jsonOrBase64(base), jsonOrBase64(state)];
  const told = { agent, ...branchJson(branch), ...wantedJson(wanted), encoding: to.encoding };
  const head = withRaw(told, 'base_state', from.text);
  return `${head.slice(0, -1)},"state":${to.text}}`;
}

/** What a fork's tasks wanted to send and to be woken for; without the ids, under which nothing is to be sent. */
export function wantedJson({ letters = [], timers = [], takenBack = [] }: Partial<Wanted>) {
  return {
    letters: letters.map(({ to, key, priority, task, reply }) => ({
      ...{ to, key, priority, task },
      ...(reply !== undefined && { reply }),
    })),
    timers: timers.map(({ name, atMs, everyMs, task }) => ({ name, at_ms: atMs, every_ms: everyMs ?? null, task })),
    timers_taken_back: takenBack,
  };
}

function withRaw(head: Record<string, unknown>, key: string, raw: string): string {
  return `${toSafeJson(head).slice(0, -1)},${JSON.stringify(key)}:${raw}}`;
}

const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function jsonOrBase64(bytes: Uint8Array): { encoding: 'json' | 'base64'; text: string } {
  try {
    const text = strictDecoder.decode(bytes);
    JSON.parse(text);
    return { encoding: 'json', text };
  } catch {
    return { encoding: 'base64', text: JSON.stringify(toBase64(bytes)) };
  }
}

const toBase64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');

/** Renames the outermost keys of an object whose keys are the program's own; what is inside keeps its names. */
export function snakeKeys(details: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(details).map(([key, value]) => [key.replaceAll(/[A-Z]/g, (c) => `_${c.toLowerCase()}`), value]),
  );
}

/** JSON that never throws for a number: big ones become text, `NaN` and infinities `null`, bytes base64. */
export function toSafeJson(value: unknown): string {
  return JSON.stringify(value, (_key, part) => {
    if (typeof part === 'bigint') return Number.isSafeInteger(Number(part)) ? Number(part) : part.toString();
    return part instanceof Uint8Array ? toBase64(part) : part;
  });
}
