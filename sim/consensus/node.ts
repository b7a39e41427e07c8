import { type Entry, entryKinds, type Persist, Raft, type RaftMessage } from '../../consensus/raft.ts';
import type { Effect, Write } from '../../node/core/effect.ts';
import { type ConclaveError, errors, toErrorBody } from '../../node/core/errors.ts';
import type { Event, EventOf, EventType } from '../../node/core/event.ts';
import type { NodeId } from '../../node/core/message.ts';
import type { Instant, NodeInit } from '../../node/core/node.ts';
import { Outbox } from '../../node/core/outbox.ts';
import { keys, restore, writeEntry, writeJson } from '../../node/core/records.ts';
import { fromBytes, toBytes } from '../../node/core/text.ts';
import type { SimNode } from '../host.ts';

/** All that these nodes say to each other is said within it. */
const cluster = 'consensus';
/** Between two tries to reach a peer, as in production. */
const redialMs = 700;
const outputsMax = 10_000;
const kindNames = ['noop', 'command', 'configuration'] as const;

interface Proposed {
  request: string;
  task: string;
}

type Handlers = { [K in EventType]: (event: EventOf<K>) => void };

/**
 * Consensus alone as a node of the simulated world: it drives `Raft` as the production node does, with the same records
 * and messages in the same order, and nothing else stands in the way. A `task` carries a command: its payload is
 * proposed, and answered with its place in the log once it is committed there.
 */
export class ConsensusNode implements SimNode {
  readonly #peers: readonly NodeId[];
  readonly #out = new Outbox();
  readonly #raft: Raft;
  readonly #connected = new Set<NodeId>();
  /** Commands of the present leadership, by their index; the log's backlog bounds them. */
  readonly #proposed = new Map<number, Proposed>();
  #proposedTerm = 0;
  #nowMs: number;
  #dialAtMs = Number.NEGATIVE_INFINITY;
  #wakeAtMs = Number.NEGATIVE_INFINITY;

  /** One of the `voters`, which are the same for all of a cluster's time. */
  constructor({ id, records, random, at }: NodeInit, voters: readonly NodeId[]) {
    const restored = restore(records);
    const isNew = restored.entries.length === 0;
    const entries = isNew ? Raft.bootstrapEntries({ voters, learners: [] }) : restored.entries;
    const hardState = isNew ? { term: 1, vote: '' } : restored.hardState;
    this.#peers = voters.filter((voter) => voter !== id);
    this.#nowMs = at.nowMs;
    this.#out.cluster = cluster;
    if (isNew) this.#out.persist([writeJson(keys.hardState, hardState), ...entries.map(writeEntry)]);
    this.#raft = new Raft({ id, hardState, entries, random, nowMs: at.nowMs });
  }

  handle(event: Event, { nowMs }: Instant): Effect[] {
    this.#nowMs = nowMs;
    (this.#on[event.type] as (event: Event) => void)(event);
    if (this.#raft.deadlineMs() <= nowMs) this.#raft.tick(nowMs);
    if (this.#dialAtMs <= nowMs) this.#dial();
    this.#flush();
    this.#askToWake();
    return this.#out.take();
  }

  readonly #on: Handlers = {
    wake: () => {
      this.#wakeAtMs = Number.NEGATIVE_INFINITY;
    },
    connected: ({ node }) => void this.#connected.add(node),
    disconnected: ({ node }) => {
      this.#connected.delete(node);
      this.#raft.peerLost(node, this.#nowMs);
      this.#dialAtMs = this.#nowMs;
    },
    // What is no message of Raft's, Raft refuses.
    message: ({ from, message }) => this.#raft.receive(from, message as RaftMessage, this.#nowMs),
    persisted: ({ id }) => this.#out.persisted(id),
    request: (event) => this.#propose(event),
    stop: () => this.#out.push({ type: 'exit', code: 0, reason: 'it was asked to stop' }),
    dialFailed: () => {},
    gossip: () => {},
    load: () => {},
    agentStarted: () => {},
    taskRan: () => {},
    agentFailed: () => {},
  };

  #propose({ request, operation }: EventOf<'request'>): void {
    if (operation.type !== 'task') {
      return this.#refuse(request, errors.bodyMalformed({ reason: `consensus alone knows no ${operation.type}` }));
    }
    const outcome = this.#raft.propose(operation.payload, this.#nowMs);
    if (outcome.ok) {
      this.#proposedTerm = outcome.term;
      this.#proposed.set(outcome.index, { request, task: operation.task });
    } else if (outcome.reason === 'notLeader') {
      this.#refuse(request, errors.notLeader({ leader: this.#raft.leader }));
    } else {
      this.#refuse(request, errors.backlogFull({ what: 'commands', max: this.#proposed.size }));
    }
  }

  #refuse(request: string, error: ConclaveError): void {
    this.#out.reply(request, { ok: false, error: toErrorBody(error) });
  }

  #dial(): void {
    this.#dialAtMs = this.#nowMs + redialMs;
    for (const node of this.#peers) {
      if (!this.#connected.has(node)) this.#out.push({ type: 'dial', node, addresses: [] });
    }
  }

  /** Emits what Raft wants, in its order, until it wants nothing more. */
  #flush(): void {
    for (let outputs = 0; outputs < outputsMax; outputs++) {
      const { early, persist, late, committed, more } = this.#raft.takeOutput();
      if (early.length + late.length + committed.length === 0 && persist === undefined && !more) break;
      for (const { to, message } of early) this.#out.sendUrgent(to, message);
      if (persist !== undefined) this.#persist(persist);
      for (const { to, message } of late) this.#out.send(to, message);
      for (const entry of committed) this.#apply(entry);
    }
    if (this.#raft.role !== 'leader' || this.#raft.term !== this.#proposedTerm) this.#loseProposals();
  }

  #persist(persist: Persist): void {
    const { hardState, truncateFrom, truncateThrough, entries } = persist;
    const writes: Write[] = [];
    if (hardState !== undefined) writes.push(writeJson(keys.hardState, hardState));
    if (truncateFrom !== undefined) {
      const kept = new Set(entries.map((entry) => entry.index));
      for (let index = truncateFrom; index <= (truncateThrough ?? truncateFrom); index++) {
        if (!kept.has(index)) writes.push({ key: keys.entry(index), value: undefined });
      }
    }
    for (const entry of entries) writes.push(writeEntry(entry));
    this.#out.persist(writes, () => this.#raft.durable(persist, this.#nowMs));
  }

  #apply({ index, term, kind, data }: Entry): void {
    const details = kind === entryKinds.command ? { term } : {};
    this.#out.report({ index, atMs: 0, kind: kindNames[kind] ?? 'unknown', text: fromBytes(data), details });
    const proposed = this.#proposed.get(index);
    if (proposed === undefined) return;
    this.#proposed.delete(index);
    const { request, task } = proposed;
    // Another leader's entry took the place: what was proposed here never happened at this index.
    if (term !== this.#proposedTerm) this.#refuse(request, errors.leaderUnknown({}));
    else this.#out.reply(request, { ok: true, result: { agent: 'log', task, value: toBytes(String(index)) } });
  }

  /** Whether they take effect is for the next leader's log to say. */
  #loseProposals(): void {
    for (const { request } of this.#proposed.values()) this.#refuse(request, errors.leaderUnknown({}));
    this.#proposed.clear();
  }

  #askToWake(): void {
    const isAlone = this.#connected.size < this.#peers.length;
    const atMs = Math.min(this.#raft.deadlineMs(), isAlone ? this.#dialAtMs : Number.POSITIVE_INFINITY);
    if (atMs === this.#wakeAtMs || atMs === Number.POSITIVE_INFINITY) return;
    this.#wakeAtMs = atMs;
    this.#out.push({ type: 'wakeAt', atMs });
  }
}
