import type { AutonomyBoard, BranchThere } from './autonomy-board.ts';
import { branchesIn } from './autonomy-board.ts';
import { drawBranch, isApart, numberAfter, numbersAfter } from './branch.ts';
import type { AgentRecord, ClusterState } from './cluster-state.ts';
import type { Context } from './context.ts';
import type { LoadBoard } from './load-board.ts';
import type { MessageOf, NodeId } from './message.ts';
import { candidatesFor, decide } from './placement.ts';

type Reports = Map<NodeId, MessageOf<'autonomy'>>;
type Order = MessageOf<'branchOrder'>;

interface Ordered {
  order: Order;
  host: NodeId;
  atMs: number;
}

/**
 * What the acting manager of a side without a majority does: has each autonomous agent whose state is there run as a
 * branch on one of the nodes that it hears. It goes by what they tell, and keeps nothing that another would miss.
 */
export class ActingManager {
  readonly #context: Context;
  readonly #state: ClusterState;
  readonly #loads: LoadBoard;
  readonly #board: AutonomyBoard;
  readonly #tell: (host: NodeId, order: Order) => void;
  readonly #ordered = new Map<string, Ordered>();
  /** When a branch that is over was first seen, by its id. */
  readonly #closedMs = new Map<string, number>();
  /** Of each autonomous agent: why it runs where it does, or why it does not run. */
  readonly reasons = new Map<string, string>();
  #sinceMs: number | undefined;
  #turn = 0;

  constructor(
    context: Context,
    state: ClusterState,
    loads: LoadBoard,
    board: AutonomyBoard,
    tell: (host: NodeId, order: Order) => void,
  ) {
    this.#context = context;
    this.#state = state;
    this.#loads = loads;
    this.#board = board;
    this.#tell = tell;
  }

  reset(): void {
    if (this.#sinceMs === undefined) return;
    this.#sinceMs = undefined;
    this.#ordered.clear();
    this.#closedMs.clear();
    this.reasons.clear();
  }

  /** To be called while this node is the acting manager. */
  tick(): void {
    const { nowMs, settings } = this.#context;
    this.#sinceMs ??= nowMs;
    // Until the others have told what they have, it would begin anew what runs already.
    if (nowMs - this.#sinceMs < 2 * settings.autonomyTellMs) return;
    const reports = this.#board.autonomous();
    const branches = branchesIn(this.#board.all());
    const byHost = new Map<NodeId, number>();
    for (const { node, runs } of branches) if (runs) byHost.set(node, (byHost.get(node) ?? 0) + 1);
    for (const agent of this.#state.agents.values()) {
      if (agent.partition !== 'autonomous') continue;
      this.#look(
        agent,
        reports,
        branches.filter((there) => there.agent === agent.id),
        byHost,
      );
    }
  }

  #look(agent: AgentRecord, reports: Reports, there: BranchThere[], byHost: Map<NodeId, number>): void {
    const { nowMs, settings } = this.#context;
    const closed = new Set(there.filter((each) => each.closed).map(({ branch }) => branch));
    for (const branch of closed) if (!this.#closedMs.has(branch)) this.#closedMs.set(branch, nowMs);
    const open = there.filter(({ branch, node }) => !closed.has(branch) && reports.has(node));
    for (const { node, branch, runs } of there) {
      if (runs && closed.has(branch)) this.#close(node, agent.id, branch);
    }
    const last = this.#ordered.get(agent.id);
    const isStarting = last !== undefined && nowMs - last.atMs < settings.branchStartMs && reports.has(last.host);
    const running = open.filter(({ active }) => active).sort(byNumber)[0];
    if (running !== undefined && isWhole(running, reports)) {
      for (const { node, branch, runs, number } of open) {
        if (runs && branch !== running.branch) this.#close(node, agent.id, branch);
        else if (runs && number < running.number) this.#stop(node, running);
      }
      return;
    }
    if (isStarting && !closed.has(last.order.branch)) return;
    const branch = open.sort(byNumber)[0]?.branch;
    if (branch !== undefined) {
      return this.#goOn(
        agent,
        reports,
        open.filter((each) => each.branch === branch),
        byHost,
      );
    }
    const isLate = [...closed].some((id) => nowMs - (this.#closedMs.get(id) ?? 0) < settings.autonomyAfterMs);
    if (isLate) this.reasons.set(agent.id, 'a node of its side hears a majority: its branch is about to be reconciled');
    else this.#begin(agent, reports, byHost);
  }

  #close(host: NodeId, agent: string, branch: string): void {
    const order = { agent, branch, number: 0, numbers: [], keepers: [], sources: [] };
    this.#tell(host, { ...order, fresh: false, close: true });
  }

  /** The branch runs elsewhere under a higher number. What was done here stays until a majority takes it in. */
  #stop(host: NodeId, { agent, branch, number }: BranchThere): void {
    this.#tell(host, { agent, branch, number, numbers: [], keepers: [], sources: [], fresh: false, close: false });
  }

  /** Its host or one of its keepers is silent: from the newest of the copies. */
  #goOn(agent: AgentRecord, reports: Reports, all: BranchThere[], byHost: Map<NodeId, number>): void {
    const copies = all.filter(({ runs }) => !runs);
    const [newest] = copies.sort(byNumber);
    if (newest === undefined || newest.number === 0) return this.#begin(agent, reports, byHost);
    const { branch, number } = newest;
    const sources = copies.filter((copy) => copy.number === number).map(({ node }) => node);
    const numbers = numbersAfter(newest.numbers, number);
    // Nobody whose copy went its own way meanwhile: what was acknowledged there would be overwritten.
    const apart = copies.filter((copy) => isApart(copy, numbers)).map(({ node }) => node);
    const able = new Map([...reports].filter(([node]) => !apart.includes(node)));
    const stay = all.filter(({ active, node }) => active && able.has(node)).sort(byNumber)[0]?.node;
    this.#order(agent, able, byHost, { branch, above: number, numbers, sources, fresh: false, stay });
  }

  #begin(agent: AgentRecord, reports: Reports, byHost: Map<NodeId, number>): void {
    const states = [...reports].flatMap(([node, { states: all }]) =>
      all.filter((each) => each.agent === agent.id && each.epoch >= agent.created).map((each) => ({ ...each, node })),
    );
    const best = states.sort((a, b) => b.epoch - a.epoch || b.sequence - a.sequence || (a.node < b.node ? -1 : 1))[0];
    if (best === undefined) return void this.reasons.set(agent.id, 'no node of this side keeps its state');
    const branch = drawBranch(this.#context.random);
    this.#order(agent, reports, byHost, { branch, above: 0, numbers: [], sources: [best.node], fresh: true });
  }

  #order(
    agent: AgentRecord,
    reports: Reports,
    byHost: Map<NodeId, number>,
    from: Pick<Order, 'branch' | 'numbers' | 'sources' | 'fresh'> & { above: number; stay?: NodeId | undefined },
  ): void {
    const { nowMs, random } = this.#context;
    const before = this.#ordered.get(agent.id)?.order.number ?? 0;
    const host = from.stay ?? this.#chooseHost(agent, reports, byHost);
    if (host === undefined) return;
    byHost.set(host, (byHost.get(host) ?? 0) + 1);
    const others = [...reports.keys()].filter((node) => node !== host).sort();
    const having = new Set([...from.sources, ...(agent.active?.holders ?? [])]);
    others.sort((a, b) => Number(having.has(b)) - Number(having.has(a)) || (a < b ? -1 : 1));
    const keepers = [host, ...others.slice(0, Math.max(0, agent.holdersWanted - 1))];
    const number = numberAfter(Math.max(before, from.above), random);
    const { branch, numbers, sources, fresh } = from;
    const order: Order = {
      ...{ agent: agent.id, branch, number, numbers, keepers, sources: sources.slice(0, 16), fresh, close: false },
    };
    this.#ordered.set(agent.id, { order, host, atMs: nowMs });
    this.#tell(host, order);
  }

  #chooseHost(agent: AgentRecord, reports: Reports, byHost: ReadonlyMap<NodeId, number>): NodeId | undefined {
    const knows = (node: NodeId): boolean => (reports.get(node)?.index ?? 0) >= agent.created;
    const present = agent.active?.host ?? '';
    const last = this.#ordered.get(agent.id)?.host;
    // Where it was ordered last and did not come about, it is not ordered again at once.
    if (reports.has(present) && knows(present) && last !== present) {
      this.reasons.set(agent.id, 'its host is on this side');
      return present;
    }
    const all = candidatesFor(this.#state, this.#loads, agent, byHost).filter(
      ({ node }) => reports.has(node) && knows(node),
    );
    const rest = all.filter(({ node }) => node !== last);
    const decision = decide(agent, rest.length > 0 ? rest : all, this.#turn);
    this.#turn += 1;
    const why = decision.rejected.map(({ name, reason }) => `${name} ${reason}`).join('; ') || 'there is none';
    if (decision.node === undefined) this.reasons.set(agent.id, `no node of this side can take it: ${why}`);
    else this.reasons.set(agent.id, `chosen by ${agent.strategy} among the nodes of this side`);
    return decision.node;
  }
}

const byNumber = (a: BranchThere, b: BranchThere): number => b.number - a.number || (a.branch < b.branch ? -1 : 1);

/** Everybody who must have its steps is heard. */
const isWhole = ({ keepers }: BranchThere, reports: Reports): boolean => keepers.every((node) => reports.has(node));
