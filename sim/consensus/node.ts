import type { Configuration } from '../../consensus/configuration.ts';
import { type Entry, Raft, type RaftMessage, type RaftOptions, type Snapshot } from '../../consensus/raft.ts';
import type { Effect } from '../../node/core/effect.ts';
import { type ConclaveError, errors, toErrorBody } from '../../node/core/errors.ts';
import type { Event, EventOf, EventType } from '../../node/core/event.ts';
import { LogRecords, readLog } from '../../node/core/log-records.ts';
import type { NodeId } from '../../node/core/message.ts';
import type { Instant, NodeInit } from '../../node/core/node.ts';
import { Outbox } from '../../node/core/outbox.ts';
import { keys, writeEntry, writeJson } from '../../node/core/records.ts';
import { fromBytes, toBytes } from '../../node/core/text.ts';
import type { SimNode } from '../host.ts';
import { type Done, Machine } from './machine.ts';
import type { ConsensusSettings } from './settings.ts';

/** All that these nodes say to each other is said within it. */
/** Every so many entries one that somebody at a follower waits for. */
const awaitedEvery = 3;
const cluster = 'consensus';
/** Between two tries to reach a peer, as in production. */
const redialMs = 700;
const outputsMax = 10_000;

/** Which task means what: all that consensus alone can be asked. */
export const doors = { log: 'log', read: 'read', members: 'members', leader: 'leader' } as const;

interface Asked {
  request: string;
  task: string;
  door: string;
}

type Handlers = { [K in EventType]: (event: EventOf<K>) => void };

/**
 * Consensus alone as a node of the simulated world: it drives `Raft` as the production node does, with the same records
 * and messages in the same order, and nothing else stands in the way. A `task` says what is wanted by the name of its
 * agent: to put a command into the log, to read, to change the members, or to hand over leadership.
 */
export class ConsensusNode implements SimNode {
  readonly #id: NodeId;
  readonly #founders: readonly NodeId[];
  readonly #settings: ConsensusSettings;
  readonly #out = new Outbox();
  readonly #raft: Raft;
  readonly #records: LogRecords;
  readonly #machine: Machine;
  readonly #connected = new Set<NodeId>();
  /** Commands of the present leadership, by their index; the log's backlog bounds them. */
  readonly #proposed = new Map<number, Asked>();
  readonly #reads = new Map<number, Asked>();
  #proposedTerm = 0;
  #nowMs: number;
  #dialAtMs = Number.NEGATIVE_INFINITY;
  #wakeAtMs = Number.NEGATIVE_INFINITY;

  /** Of the `founders` each begins as a voter; whoever comes later knows nothing. */
  constructor({ id, records, random, at }: NodeInit, founders: readonly NodeId[], settings: ConsensusSettings) {
    const stored = readLog(records);
    const isNew = !records.has(keys.hardState) && founders.includes(id);
    const entries = isNew ? Raft.bootstrapEntries({ voters: founders, learners: [] }) : stored.entries;
    const hardState = isNew ? { term: 1, vote: '' } : stored.hardState;
    this.#id = id;
    this.#founders = founders;
    this.#settings = settings;
    this.#nowMs = at.nowMs;
    this.#out.cluster = cluster;
    this.#records = new LogRecords(stored);
    this.#machine = new Machine(settings.sessions);
    if (isNew) this.#out.persist([writeJson(keys.hardState, hardState), ...entries.map(writeEntry)]);
    const { base, snapshot } = stored;
    if (snapshot !== undefined) this.#restore(snapshot);
    const { snapshotChunkBytes, directLearnersMin, commitToldMsMax } = settings;
    const options: Partial<RaftOptions> = {
      ...{ snapshotChunkBytes, directLearnersMin },
      ...(commitToldMsMax !== undefined && { commitToldMsMax }),
    };
    this.#raft = new Raft({ id, hardState, entries, base, snapshot, options, random, nowMs: at.nowMs });
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
    request: (event) => this.#ask(event),
    stop: () => this.#out.push({ type: 'exit', code: 0, reason: 'it was asked to stop' }),
    dialFailed: () => {},
    gossip: () => {},
    load: () => {},
    stateAhead: () => {},
    agentStarted: () => {},
    taskRan: () => {},
    tasksReturned: () => {},
    taskProgress: () => {},
    agentFailed: () => {},
    agentPrepared: () => {},
  };

  #ask({ request, operation }: EventOf<'request'>): void {
    if (operation.type !== 'task') {
      return this.#refuse(request, errors.bodyMalformed({ reason: `consensus alone knows no ${operation.type}` }));
    }
    const { agent: door, task, payload } = operation;
    const asked = { request, task, door };
    if (door === doors.read) this.#read(asked);
    else if (door === doors.leader) {
      const began = this.#raft.transferLeadership(fromBytes(payload), this.#nowMs);
      this.#answer(asked, began ? 1 : 0);
    } else this.#propose(asked, payload);
  }

  #propose(asked: Asked, payload: Uint8Array): void {
    const outcome =
      asked.door === doors.members
        ? this.#raft.changeConfiguration(JSON.parse(fromBytes(payload)) as Configuration, this.#nowMs)
        : this.#raft.propose(payload, this.#nowMs);
    if (outcome.ok) {
      this.#proposedTerm = outcome.term;
      this.#proposed.set(outcome.index, asked);
    } else if (outcome.reason === 'notLeader') {
      this.#refuse(asked.request, errors.notLeader({ leader: this.#raft.leader }));
    } else {
      this.#refuse(asked.request, errors.backlogFull({ what: 'commands', max: this.#proposed.size }));
    }
  }

  #read(asked: Asked): void {
    const read = this.#raft.read(this.#nowMs);
    if (read.ok) this.#reads.set(read.id, asked);
    else this.#refuse(asked.request, errors.notLeader({ leader: this.#raft.leader }));
  }

  #answer({ request, task, door }: Asked, value: number): void {
    this.#out.reply(request, { ok: true, result: { agent: door, task, value: toBytes(String(value)) } });
  }

  #refuse(request: string, error: ConclaveError): void {
    this.#out.reply(request, { ok: false, error: toErrorBody(error) });
  }

  /** Everybody that it has heard of. */
  #peers(): NodeId[] {
    const { voters, learners } = this.#raft.configuration();
    return [...new Set([...this.#founders, ...voters, ...learners])].filter((node) => node !== this.#id);
  }

  #dial(): void {
    this.#dialAtMs = this.#nowMs + redialMs;
    for (const node of this.#peers()) {
      if (!this.#connected.has(node)) this.#out.push({ type: 'dial', node, addresses: [] });
    }
  }

  /** Emits what Raft wants, in its order, until it wants nothing more. */
  #flush(): void {
    for (let outputs = 0; outputs < outputsMax; outputs++) {
      const { early, persist, late, installed, committed, reads, readsLost, more } = this.#raft.takeOutput();
      const said = early.length + late.length + committed.length + reads.length + readsLost.length;
      if (said === 0 && persist === undefined && installed === undefined && !more) break;
      for (const { to, message } of early) this.#out.sendUrgent(to, message);
      if (persist !== undefined) {
        this.#out.persist(this.#records.writes(persist), () => this.#raft.durable(persist, this.#nowMs));
      }
      for (const { to, message } of late) this.#out.send(to, message);
      if (installed !== undefined) this.#restore(installed);
      for (const entry of committed) this.#apply(entry);
      for (const { id } of reads) this.#endRead(id, true);
      for (const id of readsLost) this.#endRead(id, false);
      if (!more) this.#compactIfLong();
    }
    if (this.#raft.role !== 'leader' || this.#raft.term !== this.#proposedTerm) this.#loseProposals();
  }

  #compactIfLong(): void {
    const { compactEntries, keptEntries } = this.#settings;
    if (this.#machine.index - this.#raft.snapshotIndex < compactEntries) return;
    this.#raft.compact(this.#machine.encode(), keptEntries);
  }

  #restore({ index, data }: Snapshot): void {
    this.#machine.load(data);
    const details = { index, hash: this.#machine.hash };
    this.#out.report({ index: 0, atMs: 0, kind: 'restored', text: 'a snapshot', details });
  }

  #endRead(id: number, isLeader: boolean): void {
    const asked = this.#reads.get(id);
    this.#reads.delete(id);
    if (asked === undefined) return;
    if (isLeader) this.#answer(asked, this.#machine.index);
    else this.#refuse(asked.request, errors.notLeader({ leader: this.#raft.leader }));
  }

  #apply(entry: Entry): void {
    const done = this.#machine.apply(entry);
    const { kind, text, details } = done;
    this.#out.report({ index: entry.index, atMs: 0, kind, text, details: { ...details, hash: this.#machine.hash } });
    // As decisions that hosts wait for: of some it is told at once that they are committed.
    if (entry.index % awaitedEvery === 0) this.#raft.tellCommitted();
    const asked = this.#proposed.get(entry.index);
    if (asked === undefined) return;
    this.#proposed.delete(entry.index);
    this.#tell(asked, entry.term === this.#proposedTerm ? done : undefined);
  }

  /** `undefined`: another leader's entry took the place: what was proposed here never happened at this index. */
  #tell(asked: Asked, done: Done | undefined): void {
    if (done === undefined) this.#refuse(asked.request, errors.leaderUnknown({}));
    else if (done.kind === 'expired') this.#refuse(asked.request, errors.commandInvalid({ reason: 'no session' }));
    else this.#answer(asked, done.index);
  }

  /** Whether they take effect is for the next leader's log to say. */
  #loseProposals(): void {
    for (const { request } of this.#proposed.values()) this.#refuse(request, errors.leaderUnknown({}));
    this.#proposed.clear();
  }

  #askToWake(): void {
    const isAlone = this.#peers().some((node) => !this.#connected.has(node));
    const atMs = Math.min(this.#raft.deadlineMs(), isAlone ? this.#dialAtMs : Number.POSITIVE_INFINITY);
    if (atMs === this.#wakeAtMs || atMs === Number.POSITIVE_INFINITY) return;
    this.#wakeAtMs = atMs;
    this.#out.push({ type: 'wakeAt', atMs });
  }
}
