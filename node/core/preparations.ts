import type { ClusterState } from './cluster-state.ts';
import type { Context } from './context.ts';
import type { EventOf } from './event.ts';
import type { MessageOf, NodeId } from './message.ts';
import { codeOf, versionOf } from './type-version.ts';

interface Preparation {
  since: number;
  /** What became of it: '' when all is ready, else why not; undefined while it is under way. */
  reason: string | undefined;
  saidMs: number;
}

/**
 * The agents that are to move here and run elsewhere until then. What will run each is made ready, with its code and
 * without its state, and the agent's host is told. There are no more of them than agents that this node takes.
 */
export class Preparations {
  readonly #context: Context;
  readonly #state: ClusterState;
  readonly #tell: (host: NodeId, said: MessageOf<'prepared'>) => void;
  readonly #known = new Map<string, Preparation>();

  constructor(context: Context, state: ClusterState, tell: (host: NodeId, said: MessageOf<'prepared'>) => void) {
    this.#context = context;
    this.#state = state;
    this.#tell = tell;
  }

  agents(): string[] {
    return [...this.#known.keys()];
  }

  /** The log said something about the agent. */
  onDecided(id: string): void {
    const agent = this.#state.agents.get(id);
    const migration = agent?.migration;
    const known = this.#known.get(id);
    // Until it answers here or the move has ended: then what it was started in is its own, and the rest goes.
    if (known !== undefined && known.since !== migration?.since) {
      this.#known.delete(id);
      this.#context.out.push({ type: 'releaseAgent', agent: id, migration: known.since });
    }
    if (agent === undefined || migration === undefined || this.#known.has(id)) return;
    const { self, boot } = this.#context;
    if (migration.target !== self || migration.boot !== boot || migration.epoch !== undefined) return;
    const { since } = migration;
    const type = this.#state.types.get(agent.type);
    const code = type && codeOf(type, migration.version ?? versionOf(agent));
    this.#known.set(id, { since, reason: code === undefined ? 'its code is unknown' : undefined, saidMs: 0 });
    if (type === undefined || code === undefined) return;
    const { source, interpreter, container } = code;
    const { isolation } = type;
    const what = { agent: id, agentType: agent.type, source, interpreter, container, isolation };
    this.#context.out.push({ type: 'prepareAgent', ...what, migration: since });
  }

  onPrepared({ agent, migration, reason }: EventOf<'agentPrepared'>): void {
    const known = this.#known.get(agent);
    if (known?.since !== migration || known.reason !== undefined) return;
    known.reason = reason;
    this.#say(agent, known);
  }

  #say(agent: string, known: Preparation): void {
    const { placement, migration } = this.#state.agents.get(agent) ?? {};
    if (known.reason === undefined || placement === undefined || migration?.epoch !== undefined) return;
    known.saidMs = this.#context.nowMs;
    this.#tell(placement.host, { agent, since: known.since, bytes: 0, reason: known.reason });
  }

  /** Says it again, for as long as the host has not gone on: it may not have heard it, or have begun anew. */
  tick(): void {
    const { nowMs, settings } = this.#context;
    for (const [agent, known] of this.#known) {
      if (nowMs - known.saidMs >= settings.holderRetryMs) this.#say(agent, known);
    }
  }
}
