import { setTimeout as delay } from 'node:timers/promises';
import { type Fleet, FleetError, type FleetNode, type OnProgress } from '../../docker/fleet.ts';
import type { StatusView } from '../core/operation.ts';
import type { Home } from './home.ts';
import { claimHome } from './home-claim.ts';
import { signToken } from './token.ts';

const pollMs = 50;
const fleetPollMs = 400;
const requestTimeoutMs = 1_000;
const timeoutMsDefault = 60_000;
const logLinesShown = 15;

/** What a node answers to `GET /api/v1/cluster/status`, as far as this needs it. */
export type StatusNode = Pick<StatusView['nodes'][number], 'id' | 'name' | 'admin' | 'status' | 'membership'> &
  Pick<StatusView['nodes'][number], 'reachable' | 'voter' | 'leader' | 'agents'>;
export interface Status {
  cluster: string;
  mode: StatusView['mode'];
  leader: StatusView['leader'] | null;
  nodes: StatusNode[];
}

export interface BringUpOptions {
  fleet: Fleet;
  home: Home;
  count: number;
  /** For the waiting after the nodes were started; default 60 s. */
  timeoutMs?: number;
  onProgress?: OnProgress;
  signal?: AbortSignal;
}

export interface BroughtUp {
  nodes: FleetNode[];
  created: string[];
  revived: string[];
  status: Status;
}

/** Brings the fleet up and waits until all its nodes are members and one leads. Throws `FleetError`. */
export async function bringUp(options: BringUpOptions): Promise<BroughtUp> {
  const { fleet, home, count, signal } = options;
  const release = await claimHome(home);
  try {
    const { created, revived } = await fleet.up(count, options.onProgress, signal);
    const status = await waitForMembers(options);
    return { nodes: await fleet.list(), created, revived, status };
  } finally {
    const left = await fleet.list().catch(() => []);
    if (left.length > 0) await home.writeNote({ kind: fleet.kind, name: fleet.name });
    await release();
  }
}

/**
 * Waits until every node of the fleet is an active, reachable member, answers that it is ready, and one of them leads.
 * Throws `FleetError` when a node exits, with its last words, or when the time is over, with who is missing.
 */
export async function waitForMembers(options: Omit<BringUpOptions, 'count'>): Promise<Status> {
  const { fleet, home, timeoutMs = timeoutMsDefault, onProgress = () => {}, signal } = options;
  const token = await signToken(home);
  const deadline = performance.now() + timeoutMs;
  let nodes = await fleet.list();
  let checkFleetAt = performance.now() + fleetPollMs;
  let said = '';
  for (;;) {
    signal?.throwIfAborted();
    const status = await askAny(nodes, token);
    const missing = namesMissing(nodes, status);
    if (status?.leader?.name && missing.length === 0 && (await allReady(nodes))) {
      onProgress({ phase: 'cluster', text: `${nodes.length} members, ${status.leader.name} leads`, done: true });
      return status;
    }
    const leads = status?.leader?.name ? `${status.leader.name} leads` : 'no leader yet';
    const text = `${nodes.length - missing.length} of ${nodes.length} are members, ${leads}`;
    if (text !== said) onProgress({ phase: 'cluster', text });
    said = text;
    if (performance.now() > deadline) throw outOfTime(fleet, nodes, missing, timeoutMs, text);
    if (performance.now() > checkFleetAt) {
      nodes = await fleet.list();
      checkFleetAt = performance.now() + fleetPollMs;
      const ended = nodes.find((node) => node.state === 'exited');
      if (ended !== undefined) throw await exitedEarly(fleet, ended);
    }
    await delay(pollMs, undefined, signal === undefined ? {} : { signal });
  }
}

function namesMissing(nodes: readonly FleetNode[], status: Status | undefined): string[] {
  const members = (status?.nodes ?? []).filter(
    ({ membership, reachable, status: shown }) => membership === 'alive' && reachable && shown === 'active',
  );
  const names = new Set(members.map((member) => member.name));
  return nodes.map((node) => node.name).filter((name) => !names.has(name));
}

async function allReady(nodes: readonly FleetNode[]): Promise<boolean> {
  const answers = await Promise.all(nodes.map((node) => request(`${node.admin}/health/ready`)));
  return answers.every((answer) => answer?.ok === true);
}

/** The status as seen by the first node that answers; asks them all at once. */
export async function askAny(nodes: readonly FleetNode[], token: string): Promise<Status | undefined> {
  const ask = async ({ admin }: FleetNode): Promise<Status> => {
    const answer = await request(`${admin}/api/v1/cluster/status`, { authorization: `Bearer ${token}` });
    if (!answer?.ok) throw new Error(`${admin} does not answer`);
    const status = (await answer.json()) as Status;
    if (!Array.isArray(status.nodes)) throw new Error(`${admin} answers something else`);
    return status;
  };
  const running = nodes.filter((node) => node.state === 'running');
  return Promise.any(running.map(ask)).catch(() => undefined);
}

async function request(url: string, headers: Record<string, string> = {}): Promise<Response | undefined> {
  try {
    return await fetch(url, { headers, signal: AbortSignal.timeout(requestTimeoutMs) });
  } catch {
    return undefined;
  }
}

async function exitedEarly(fleet: Fleet, node: FleetNode): Promise<FleetError> {
  const log = await fleet.logs(node.name, logLinesShown).catch(() => '');
  const code = node.exitCode === undefined ? '' : ` with code ${node.exitCode}`;
  return new FleetError(
    `${node.name} ended${code} while the cluster was coming up. The other nodes are left as they are. Its last words:\n` +
      `${log.trim() === '' ? '(none)' : log.trimEnd().replaceAll(/^/gm, '  ')}\n` +
      `Correct the cause and run "conclave up" again, or remove everything with "conclave down --name ${fleet.name}".`,
    70,
  );
}

function outOfTime(
  fleet: Fleet,
  nodes: readonly FleetNode[],
  missing: readonly string[],
  timeoutMs: number,
  text: string,
): FleetError {
  const who = missing.length > 0 ? `; missing: ${missing.join(', ')}` : '';
  const unwell = nodes.filter((node) => node.state !== 'running').map((node) => `${node.name} is ${node.state}`);
  return new FleetError(
    `The cluster is not complete after ${timeoutMs / 1_000} s: ${text}${who}${unwell.length > 0 ? `; ${unwell.join(', ')}` : ''}. ` +
      `The nodes are left running. Wait longer with "conclave up ${nodes.length} --name ${fleet.name} --timeout <seconds>", ` +
      `or remove everything with "conclave down --name ${fleet.name}".`,
    124,
  );
}
