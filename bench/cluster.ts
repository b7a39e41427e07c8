import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Fleet, FleetNode } from '../docker/fleet.ts';
import { freePort, isPortTaken } from '../docker/host-port.ts';
import { bringUp } from '../node/cli/bring-up.ts';
import { openFleet } from '../node/cli/fleet.ts';
import type { AgentJson, StatusJson } from '../node/cli/status.ts';
import { signToken } from '../node/cli/token.ts';
import type { Isolation } from '../node/core/isolation.ts';
import { type Answer, Client } from './client.ts';
import type { Bench } from './figure.ts';

const pollMs = 50;
const settledWithinMs = 90_000;
const portTries = 100;
const lastWordsLines = 3;
const taskTtlMs = 10_000;
const taskTriesMax = 20;
const gatherTriesMax = 100;

let clusters = 0;

/** A cluster of local processes for one figure: its own name, state directory and ports. */
export class Cluster {
  readonly fleet: Fleet;
  readonly #bench: Bench;
  readonly #client: Client;
  /** Bearer token of its API. */
  readonly token: string;
  readonly #close: () => Promise<void>;

  private constructor(bench: Bench, fleet: Fleet, token: string, close: () => Promise<void>) {
    this.#bench = bench;
    this.fleet = fleet;
    this.token = token;
    this.#client = new Client(bench.signal, { authorization: `Bearer ${token}` });
    this.#close = close;
  }

  /** Resolves when all nodes vote and one leads. `close` removes it all; so does the end of the run. */
  static async open(bench: Bench, nodes: number): Promise<Cluster> {
    const { fleet, home } = await openBenchFleet(bench, 'processes', nodes);
    const close = bench.scratch.defer(() => removeFleet(fleet));
    await bringUp({ fleet, home, count: nodes, signal: bench.signal });
    const cluster = new Cluster(bench, fleet, await signToken(home), close);
    await cluster.settled();
    return cluster;
  }

  async close(): Promise<void> {
    this.#client.close();
    await this.#close();
  }

  /** One request to one node; a status of 0 when it does not answer. */
  send(node: FleetNode, method: string, path: string, body?: unknown, timeoutMs?: number): Promise<Answer> {
    return this.#client.send(method, urlOf(node, path), body, timeoutMs);
  }

  /** Writes one key at one node; false when the node refuses or does not answer in time. */
  async put(node: FleetNode, timeoutMs: number): Promise<boolean> {
    const url = `${node.admin}/api/v1/kv/bench/key`;
    return (await this.#client.send('PUT', url, 'value', timeoutMs)).status === 200;
  }

  /** Writes a key at one node, and says at which index of the log. */
  async logIndex(node: FleetNode): Promise<number> {
    const { index } = await this.#client.ask<{ index: number }>('PUT', `${node.admin}/api/v1/kv/bench/index`, 'value');
    return index;
  }

  /** Deploys agents of the example; `code` takes its place with another type and its source, or says more. */
  async deploy(agents: number, name: string, code?: Partial<Code>): Promise<void> {
    const [node] = await this.fleet.list();
    if (node === undefined) throw new Error('the cluster has no nodes');
    const order = { agent_type: 'trading', count: agents, deployment_strategy: 'least_loaded', name, ...code };
    await this.#client.ask('POST', urlOf(node, '/agents/deploy'), order, settledWithinMs);
  }

  /** One task, at each of these nodes in turn until one has the answer: by its id it takes effect once. */
  async giveTask(nodes: readonly FleetNode[], agent: string, id: string): Promise<void> {
    const task = { id, payload: { symbol: 'MSFT', price: 39.81 }, ttl_ms: taskTtlMs };
    let said = '';
    for (let tries = 0; tries < taskTriesMax; tries++) {
      const node = nodes[tries % nodes.length] as FleetNode;
      const { status, text } = await this.send(node, 'POST', `/agents/${agent}/tasks`, task, taskTtlMs + 1_000);
      if (status === 200) return;
      said = `${status} ${text}`;
    }
    throw new Error(`task ${id} was not acknowledged in ${taskTriesMax} tries, last: ${said.slice(0, 300)}`);
  }

  /** Moves agents to a node and waits until all of them run there. */
  async gather(agents: readonly string[], target: FleetNode): Promise<Settled> {
    for (let tries = 0; tries < gatherTriesMax; tries++) {
      const settled = await this.settled();
      const away = settled.agents.filter(({ id, host_name: host }) => agents.includes(id) && host !== target.name);
      if (away.length === 0) return settled;
      const body = { target: target.name };
      await Promise.all(away.map(({ id }) => this.send(target, 'POST', `/agents/${id}/migrate`, body, 15_000)));
      await delay(pollMs);
    }
    throw new Error(`the agents did not all move to ${target.name}`);
  }

  /**
   * Waits until every node sees the same: all of them active and voting, one leader, every agent active with all its
   * holders. Throws with what is missing when that takes too long.
   */
  async settled(): Promise<Settled> {
    const deadline = performance.now() + settledWithinMs;
    for (;;) {
      this.#bench.signal.throwIfAborted();
      const nodes = await this.fleet.list();
      const answers = await Promise.all(nodes.map((node) => this.send(node, 'GET', '/status')));
      const views = answers.map(({ status, text }) => (status === 200 ? (JSON.parse(text) as StatusJson) : undefined));
      const problem = views.map((view) => whatIsUnsettled(view, nodes.length)).find((each) => each !== undefined);
      const leaders = new Set(views.map((view) => view?.leader?.id));
      const [view] = views;
      if (problem === undefined && leaders.size === 1 && view?.leader) {
        const leader = nodes.find((node) => node.name === view.leader?.name);
        if (leader !== undefined) return { nodes, leader, term: view.leader.term, agents: view.agents };
      }
      if (performance.now() > deadline) {
        const ended = await this.#lastWords(nodes);
        throw new Error(
          `the cluster did not settle in ${settledWithinMs} ms: ${problem ?? 'two leaders are seen'}${ended}`,
        );
      }
      await delay(pollMs);
    }
  }

  /** What the nodes wrote that have ended by themselves: the end of the run removes their logs. */
  async #lastWords(nodes: readonly FleetNode[]): Promise<string> {
    const ended = nodes.filter((node) => node.state === 'exited');
    const words = await Promise.all(ended.map(({ name }) => this.fleet.logs(name, lastWordsLines)));
    return ended.map(({ name }, index) => `; ${name} has ended: ${words[index]?.trim()}`).join('');
  }

  /** Starts a node again that was killed, once its process has ended. */
  async restart(node: FleetNode): Promise<void> {
    await this.fleet.kill(node.name);
    await this.fleet.start(node.name);
  }
}

/** As the API takes it. */
interface Code {
  agent_type: string;
  source: string;
  isolation: Isolation;
}

export interface Settled {
  nodes: FleetNode[];
  leader: FleetNode;
  term: number;
  agents: AgentJson[];
}

/** A fleet for one figure, with nothing started yet. */
export async function openBenchFleet(bench: Bench, kind: 'docker' | 'processes', nodes: number) {
  const name = `bench-${process.pid}-${++clusters}`;
  const { distDirectory, dockerfile, scratch } = bench;
  const portFirst = await freePortsFrom(nodes);
  return openFleet({ name, home: join(scratch.directory, name), kind, portFirst, distDirectory, dockerfile });
}

/** SIGKILL first: nobody needs these nodes to leave in good order. */
export async function removeFleet(fleet: Fleet): Promise<void> {
  for (const node of await fleet.list()) await fleet.kill(node.name);
  await fleet.down();
}

/** The moment just before the signal is sent is where the clocks of this folder start. */
export function killNow(node: FleetNode): { start: number; wallMs: number } {
  const wallMs = Date.now();
  const start = performance.now();
  process.kill(Number(node.handle), 'SIGKILL');
  return { start, wallMs };
}

const urlOf = (node: FleetNode, path: string): string => `${node.admin}/api/v1/cluster${path}`;

function whatIsUnsettled(view: StatusJson | undefined, count: number): string | undefined {
  if (view === undefined) return 'a node does not answer';
  if (!view.leader) return 'a node sees no leader';
  const unwell = view.nodes.filter((node) => node.status !== 'active' || !node.reachable || !node.voter);
  if (unwell.length > 0) return unwell.map(describeUnwell).join(', ');
  if (view.nodes.length !== count) return `${view.nodes.length} of ${count} nodes are known`;
  const agent = view.agents.find(
    (each) => each.status !== 'active' || each.holders.length < Math.min(each.holders_wanted, count),
  );
  return agent && `agent ${agent.id} is ${agent.status} with ${agent.holders.length} holders`;
}

function describeUnwell({ name, membership, reachable, voter }: StatusJson['nodes'][number]): string {
  return `${name} is ${membership}${reachable ? '' : ', out of reach'}${voter ? '' : ', without a vote'}`;
}

async function freePortsFrom(count: number): Promise<number> {
  for (let tries = 0; tries < portTries; tries++) {
    const first = await freePort();
    const ports = Array.from({ length: count }, (_, index) => first + index);
    const taken = await Promise.all(ports.map((port) => port > 65_535 || isPortTaken(port)));
    if (!taken.includes(true)) return first;
  }
  throw new Error(`no ${count} free ports in a row were found. End what takes them, then run this again.`);
}
