import type { Address } from './agent-outputs.ts';
import type { AgentRecord, ClusterState } from './cluster-state.ts';
import type { Context } from './context.ts';
import type { LoadBoard } from './load-board.ts';
import { topicsChanged } from './topics.ts';

const changing: ReadonlySet<string> = new Set(['agentsCreated', 'agentDeleted', topicsChanged]);

/** Whom the addresses mean that agents give. Who is of a type, or has a topic, is looked up once until agents come or go. */
export class Addressing {
  readonly #context: Context;
  readonly #state: ClusterState;
  readonly #loads: LoadBoard;
  #byType: Map<string, string[]> | undefined;
  #byTopic: Map<string, string[]> | undefined;

  constructor(context: Context, state: ClusterState, loads: LoadBoard) {
    this.#context = context;
    this.#state = state;
    this.#loads = loads;
  }

  /** `kind` is of a decision of the log. */
  onApplied(kind: string): void {
    if (changing.has(kind)) this.forget();
  }

  /** Agents came or went, or have other topics. */
  forget(): void {
    this.#byType = undefined;
    this.#byTopic = undefined;
  }

  /** The agents that an address means now, at most one of a type; none where there are none. */
  resolve(to: Address): string[] {
    if (typeof to === 'string') return [to];
    if ('topic' in to) {
      this.#byTopic ??= this.#grouped(({ topics }) => topics ?? []);
      return this.#byTopic.get(to.topic) ?? [];
    }
    this.#byType ??= this.#grouped(({ type }) => [type]);
    const agents = this.#byType.get(to.type) ?? [];
    const { key } = to;
    const chosen = key === undefined ? this.#leastBusy(agents) : chosenBy(key, agents);
    return chosen === undefined ? [] : [chosen];
  }

  #grouped(groupsOf: (agent: AgentRecord) => readonly string[]): Map<string, string[]> {
    const groups = new Map<string, string[]>();
    for (const agent of this.#state.agents.values()) {
      for (const group of groupsOf(agent)) {
        const members = groups.get(group);
        if (members === undefined) groups.set(group, [agent.id]);
        else members.push(agent.id);
      }
    }
    return groups;
  }

  /** One that answers, on the node with the least to do of two drawn at random: enough to spread (Mitzenmacher 2001). */
  #leastBusy(agents: readonly string[]): string | undefined {
    const draw = (): string | undefined => agents[Math.floor(this.#context.random() * agents.length)];
    const [one, other] = [draw(), draw()];
    if (one === undefined || other === undefined) return one;
    return this.#waitsAt(other) < this.#waitsAt(one) ? other : one;
  }

  /** How much stands before a new task, as far as is known: one that answers to nobody now comes last. */
  #waitsAt(id: string): number {
    const agent = this.#state.agents.get(id);
    if (agent?.active === undefined || agent.active.epoch !== agent.placement?.epoch) return Number.POSITIVE_INFINITY;
    const load = this.#loads.of(agent.active.host);
    return load === undefined ? 0 : load.queueDepth + load.cpu;
  }
}

/** The same one for a key as long as it is there; when one goes, only its keys move (Thaler and Ravishankar 1998). */
function chosenBy(key: string, agents: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestWeight = -1;
  for (const agent of agents) {
    const weight = hashOf(`${key} ${agent}`);
    if (weight > bestWeight || (weight === bestWeight && best !== undefined && agent < best)) {
      best = agent;
      bestWeight = weight;
    }
  }
  return best;
}

/** FNV-1a, then mixed so that names that differ in their last letter are far apart (finalizer of MurmurHash3). */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
