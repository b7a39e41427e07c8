import type { agentJson, nodeJson, statusJson } from '../api/views.ts';
import { roleOf, shortId } from './cluster-table.ts';
import { branchesTable } from './forks.ts';
import { colors, tableOf } from './output.ts';
import { stuckText } from './stuck-text.ts';

export type StatusJson = ReturnType<typeof statusJson>;
export type NodeJson = ReturnType<typeof nodeJson>;
export type AgentJson = Omit<ReturnType<typeof agentJson>, 'decision'>;

const megabyte = 1024 * 1024;
const colored = (status: string): string => (status === 'active' ? colors.green(status) : colors.yellow(status));

function loadOf({ load }: NodeJson): [string, string] {
  if (load === null) return ['-', '-'];
  return [`${Math.round(load.cpu * 100)} %`, `${Math.round(load.memory_bytes / megabyte)} MB`];
}

/** Why it votes or does not; the latter is known where the leader was asked. */
function votingOf({ voter, voter_reason: reason }: NodeJson): string {
  if (reason === null) return voter ? 'votes' : 'does not vote';
  return `${voter ? 'votes' : 'does not vote'}: ${reason}`;
}

export function nodesTable(nodes: readonly NodeJson[]): string {
  const rows = nodes
    .filter(({ status }) => status !== 'left')
    .map((node) => {
      const [cpu, memory] = loadOf(node);
      const role = roleOf(node);
      return [
        node.name,
        shortId(node.id),
        role === 'leader' ? colors.green(role) : role,
        votingOf(node),
        colored(node.status),
        `${node.agents}/${node.agents_max}`,
        cpu,
        memory,
        node.admin,
      ];
    });
  return tableOf(['node', 'id', 'role', 'why', 'status', 'agents', 'cpu', 'memory', 'admin address'], rows);
}

/** Of a reason that stands in a row; "conclave agent" has all of it. */
const reasonLengthMax = 64;

function whyThere({ reason, migration, crash_loop: loop, stuck }: AgentJson): string {
  if (stuck !== null) return `holders are missing: ${stuck.missing.map(({ name }) => name).join(', ')}`;
  const text = migration === null ? reason : `${reason}; ${migration.phase} ${migration.target_name}`;
  const told = loop === null ? text : `failed ${loop.failures} times: ${loop.reason}`;
  return told.length <= reasonLengthMax ? told : `${told.slice(0, reasonLengthMax - 1)}…`;
}

export function agentsTable(agents: readonly AgentJson[]): string {
  if (agents.length === 0) return 'No agents yet: conclave deploy examples/trading --count 5';
  const rows = agents.map((agent) => [
    agent.id,
    agent.type,
    colored(agent.stuck === null ? agent.status : 'stuck'),
    agent.host_name ?? '-',
    String(agent.epoch),
    `${agent.holders.length}/${agent.holders_wanted}`,
    canTake(agent),
    agent.strategy,
    whyThere(agent),
  ]);
  return tableOf(['agent', 'type', 'status', 'host', 'epoch', 'holders', 'can take', 'strategy', 'why there'], rows);
}

/** How many failures it can take now, whatever they are; known where the leader or its host was asked. */
function canTake({ failures }: AgentJson): string {
  if (failures === null) return '?';
  const count = Math.min(failures.disks, failures.unreachable);
  const text = `${count} ${count === 1 ? 'failure' : 'failures'}`;
  return count === 0 && failures.holders > 1 ? colors.yellow(text) : text;
}

/** How far the move of an agent has come. */
export function migrationText(agent: string, migration: NonNullable<AgentJson['migration']>): string {
  const { phase, target, target_name: name, bytes_copied: copied, bytes } = migration;
  const to = name ?? target;
  const task = migration.waits_for_task;
  if (task !== null) return `${agent} goes on until task "${task}" ends, then it moves to ${to}, which is prepared`;
  if (phase === 'switching') return `${agent} is switched over to ${to}; its tasks wait until it answers there`;
  return `${agent} goes on while ${to} is prepared${bytes === null ? '' : `: ${copied} of ${bytes} bytes are there`}`;
}

/** One agent, and for every node why it was or was not chosen. */
export function agentText(agent: ReturnType<typeof agentJson>): string {
  const lines = [agentsTable([agent])];
  if (agent.migration !== null) {
    const { since_ms: sinceMs, reason } = agent.migration;
    lines.push(`${migrationText(agent.id, agent.migration)}; since ${new Date(sinceMs).toISOString()}, ${reason}`);
  } else if (agent.migration_end !== null) lines.push(`its last move came to nothing: ${agent.migration_end.reason}`);
  if (agent.partition === 'autonomous') lines.push('autonomous: without a majority it goes on as a branch');
  if (agent.branches.length > 0) lines.push(branchesTable(agent.branches));
  if (agent.crash_loop !== null) {
    const { failures, reason, since_ms: sinceMs, next_ms: nextMs } = agent.crash_loop;
    const times = `since ${new Date(sinceMs).toISOString()}, last or next try at ${new Date(nextMs).toISOString()}`;
    lines.push(`it has failed ${failures} times in a row (${times}): ${reason}`);
  }
  if (agent.failures !== null) {
    const { text, age_ms: ageMs, disks, unreachable } = agent.failures;
    const each = `${disks} lost ${disks === 1 ? 'disk' : 'disks'}, ${unreachable} out of reach`;
    lines.push(`${text} (${each}), as its host said ${ageMs} ms ago`);
  }
  if (agent.stuck !== null) lines.push(stuckText(agent.id, agent.stuck));
  if (agent.loss !== null) {
    const { epoch, sequence } = agent.loss;
    lines.push(`an operator let it go on without most of its holders, from step ${sequence} of epoch ${epoch}`);
    if (agent.waits !== null) lines.push(agent.waits.text);
  }
  if (agent.capabilities.length > 0) lines.push(`needs ${agent.capabilities.join(', ')}`);
  if (agent.decision?.ordered)
    lines.push('an operator ordered it to be there; what the strategy thought of the nodes:');
  for (const { name, score, why } of agent.decision?.ranked ?? []) {
    lines.push(`  ${name}: ${why} (score ${score.toFixed(2)})`);
  }
  for (const { name, reason } of agent.decision?.rejected ?? []) lines.push(`  not ${name}: ${reason}`);
  const { ranked = 0, rejected = 0 } = agent.decision?.omitted ?? {};
  if (ranked + rejected > 0) lines.push(`  and ${ranked} more that could take it, ${rejected} more that could not`);
  return lines.join('\n');
}

/** What a side without a majority does, as far as the node that was asked knows. */
function sideText(side: NonNullable<StatusJson['autonomy']>, nodes: readonly NodeJson[]): string {
  const nameOf = (id: string): string => nodes.find((node) => node.id === id)?.name ?? shortId(id);
  const { since_ms: sinceMs, acting_manager: manager, agents } = side;
  const since = new Date(sinceMs).toISOString();
  const head = `autonomous since ${since}   acting manager ${nameOf(manager)}   with ${side.nodes.map(nameOf).join(', ')}`;
  if (agents.length === 0) return head;
  const rows = agents.map(({ agent, branch, host, keepers, tasks, reason }) => [
    ...[agent, branch ?? '-', host === null ? '-' : nameOf(host), keepers.map(nameOf).join(', ') || '-'],
    ...[String(tasks), reason],
  ]);
  return `${head}\n${tableOf(['agent', 'branch', 'host', 'keepers', 'tasks', 'why'], rows)}`;
}

export function statusText(status: StatusJson): string {
  const leader = status.leader === null ? 'nobody leads' : `${status.leader.name} leads in term ${status.leader.term}`;
  const mode =
    status.mode === 'quorum'
      ? colors.green('quorum')
      : colors.yellow('autonomous: this node hears no majority, fenced agents wait');
  const side = status.autonomy === null ? [] : [sideText(status.autonomy, status.nodes)];
  return [
    `cluster ${status.cluster}   ${leader}   mode ${mode}`,
    ...side,
    nodesTable(status.nodes),
    agentsTable(status.agents),
  ].join('\n');
}
