import type { Configuration } from '../../consensus/configuration.ts';
import type { Entry, RaftMessage } from '../../consensus/message.ts';
import { entryKinds } from '../../consensus/message.ts';
import { defaultOptions } from '../../consensus/options.ts';
import { type Persist, type ProposalRefusal, Raft, type Snapshot } from '../../consensus/raft.ts';
import type { Applied, Result } from './applied.ts';
import { applyOnce } from './apply-once.ts';
import { ClusterState } from './cluster-state.ts';
import { type Draft, decodeCommand, encodeCommand } from './command.ts';
import { type Context, reportLocally } from './context.ts';
import type { Report } from './effect.ts';
import { type ConclaveError, errors, toErrorBody } from './errors.ts';
import { LogRecords, type StoredLog } from './log-records.ts';
import { nameOf } from './member-name.ts';
import type { NodeId } from './message.ts';
import { Recency } from './recency.ts';
import { keys, writeEntry, writeJson } from './records.ts';
import type { Restored } from './restored.ts';
import { encodeState, loadState } from './state-snapshot.ts';
import { fromBytes } from './text.ts';

export interface DecisionEvents {
  /** A command was applied; `agents` are those it touched. */
  applied(applied: Extract<Applied, { ok: true }>): void;
  /** The state is another one: a snapshot took the place of decisions that this node never saw. */
  passedOver(): void;
  /** The leader, its readiness, or the voters changed. */
  leadershipChanged(): void;
}

type Done = (result: Result) => void;

/** What hosts wait for while an agent's tasks do. */
const awaited: ReadonlySet<string> = new Set(['agentPlaced', 'agentActive']);

const refusal = (error: ConclaveError): Result => ({ ok: false, error: toErrorBody(error) });

/** The replicated log of decisions: proposes, keeps it durable, and applies what is committed to the state. */
export class Decisions {
  readonly state = new ClusterState();
  /** The last log index that was applied and is not about keys and values: nothing that is decided depends on those. */
  decidedIndex = 0;
  raft: Raft;
  readonly recency: Recency;
  readonly #context: Context;
  readonly #events: DecisionEvents;
  /** Proposals of this leadership that wait for their place in the log. Bounded by the log's backlog. */
  readonly #proposed = new Map<number, { term: number; done: Done }>();
  readonly #records: LogRecords;
  /** Who reads, by the number of the read. Bounded by Raft. */
  readonly #reads = new Map<number, (isLeader: boolean) => void>();
  /** Of the decisions since the last snapshot. */
  #bytesBehind = 0;
  /** Where the state was last found too large for a snapshot. */
  #tooLargeIndex = 0;
  #seen = { leader: '', ready: false, term: 0 };

  constructor(context: Context, restored: Restored, events: DecisionEvents) {
    this.#context = context;
    this.#events = events;
    this.recency = new Recency(context);
    this.#records = new LogRecords(restored.log);
    if (restored.log.snapshot !== undefined) {
      loadState(this.state, restored.log.snapshot.data);
      this.#reportAudit(0);
    }
    this.raft = this.#createRaft(restored.log);
  }

  #createRaft({ hardState, entries, base, snapshot }: Omit<StoredLog, 'snapshotParts'>): Raft {
    const { self, random, nowMs, settings } = this.#context;
    const options = { leaseReads: settings.leaseReads };
    return new Raft({ id: self, hardState, entries, base, snapshot, options, random, nowMs });
  }

  /** Writes the first configuration of a new cluster, and begins when that is on disk. Only a founder calls this, once. */
  found(cluster: string, voters: NodeId[], begun: () => void): void {
    const entries = Raft.bootstrapEntries({ voters, learners: [] });
    const hardState = { term: 1, vote: '' };
    const writes = [writeJson(keys.cluster, cluster), writeJson(keys.hardState, hardState), ...entries.map(writeEntry)];
    // Nobody hears of a cluster that a failed write may undo.
    this.#context.out.persist(writes, () => {
      this.raft = this.#createRaft({ hardState, entries, base: undefined, snapshot: undefined });
      begun();
      this.raft.campaign(this.#context.nowMs);
    });
  }

  /** This node leads, and every decision before its time is applied. */
  isReady(): boolean {
    return this.raft.readyToLead() && this.state.index >= this.raft.commitIndex;
  }

  /** The same, also while what was committed by an earlier event of those handled together is about to be applied. */
  mayLead(): boolean {
    return this.isReady() || (this.raft.readyToLead() && this.#seen.ready && this.#seen.term === this.raft.term);
  }

  get leader(): NodeId {
    return this.raft.leader;
  }

  hearsQuorum(): boolean {
    return this.raft.hearsQuorum(this.#context.nowMs);
  }

  /** Proposes a command; `done` is called once it is applied, refused, or can no longer be told. */
  propose(draft: Draft, done?: Done): void {
    const command = { ...draft, atMs: this.#context.wallMs };
    const outcome = this.raft.propose(encodeCommand(command), this.#context.nowMs);
    if (outcome.ok) {
      if (done !== undefined) this.#proposed.set(outcome.index, { term: outcome.term, done });
      return;
    }
    done?.(refusal(this.#whyRefused(outcome.reason)));
  }

  /**
   * Reads at this moment: `done` is called once all that was committed before is applied here and a majority has
   * confirmed since that this node leads, or with false when it does not.
   */
  read(done: (isLeader: boolean) => void): void {
    const read = this.raft.read(this.#context.nowMs);
    if (read.ok) this.#reads.set(read.id, done);
    else done(false);
  }

  #whyRefused(reason: ProposalRefusal): ConclaveError {
    if (reason === 'tooLarge') return errors.commandInvalid({ reason: 'it is too large for the log' });
    if (reason === 'backlogFull')
      return errors.backlogFull({ what: 'decisions', max: defaultOptions.backlogEntriesMax });
    return errors.notLeader({ leader: this.leader });
  }

  changeConfiguration(next: Configuration): boolean {
    return this.raft.changeConfiguration(next, this.#context.nowMs).ok;
  }

  /** Emits what the Raft module wants, in its order, until it wants nothing more. */
  flush(): void {
    for (let rounds = 0; rounds < 10_000; rounds++) {
      const { early, persist, late, installed, committed, reads, readsLost, more } = this.raft.takeOutput();
      const said = early.length + late.length + committed.length + reads.length + readsLost.length;
      if (said === 0 && persist === undefined && installed === undefined && !more) break;
      if (persist !== undefined) this.#persist(persist);
      for (const { to, message } of late) this.#context.out.send(to, message);
      if (installed !== undefined) this.#passOver(installed);
      for (const entry of committed) this.#apply(entry);
      for (const { id } of reads) this.#endRead(id, true);
      for (const id of readsLost) this.#endRead(id, false);
      // Whoever waits for an answer hears first, then those who are told that more is committed.
      for (const { to, message } of early) this.#context.out.sendUrgent(to, message);
      if (!more) this.#compactIfLong();
    }
    if (this.state.index >= this.raft.commitIndex) this.recency.applied(this.raft.ageMs(this.#context.nowMs));
    this.#noticeLeadership();
  }

  #persist(persist: Persist): void {
    const raft = this.raft;
    this.#context.out.persist(this.#records.writes(persist), () => raft.durable(persist, this.#context.nowMs));
  }

  #endRead(id: number, isLeader: boolean): void {
    const done = this.#reads.get(id);
    this.#reads.delete(id);
    done?.(isLeader);
  }

  /** Everything applied since the last snapshot is put into one, before the log gets too long to read or to send. */
  #compactIfLong(): void {
    const { compactEntries, compactBytes, keptEntries } = this.#context.settings;
    const entries = this.state.index - Math.max(this.raft.snapshotIndex, this.#tooLargeIndex);
    if (entries < compactEntries && this.#bytesBehind < compactBytes) return;
    this.#bytesBehind = 0;
    const data = encodeState(this.state);
    if (data.byteLength <= defaultOptions.snapshotBytesMax) this.raft.compact(data, keptEntries);
    else this.#goOnWithoutSnapshot(data.byteLength);
  }

  /** Nobody would take it. The log grows meanwhile, which a disk bears longer than a cluster does without its nodes. */
  #goOnWithoutSnapshot(bytes: number): void {
    this.#tooLargeIndex = this.state.index;
    const text = `the state is too large for a snapshot (${bytes} bytes), so the log grows: delete agents or keys`;
    reportLocally(this.#context, 'snapshotTooLarge', text, { bytes, bytesMax: defaultOptions.snapshotBytesMax });
  }

  /** What this node had proposed before may or may not be in what it did not see. */
  #passOver({ index, data }: Snapshot): void {
    const before = this.state.index;
    loadState(this.state, data);
    this.#reportAudit(before);
    this.decidedIndex = index;
    this.#bytesBehind = 0;
    for (const [place, { done }] of this.#proposed) {
      if (place > index) continue;
      this.#proposed.delete(place);
      done(refusal(errors.leaderUnknown({})));
    }
    this.#events.passedOver();
  }

  #apply(entry: Entry): void {
    this.state.index = entry.index;
    this.#bytesBehind += entry.data.byteLength;
    if (entry.kind === entryKinds.command) this.#applyCommand(entry);
    else this.decidedIndex = entry.index;
    if (entry.kind === entryKinds.noop) {
      const leader = fromBytes(entry.data);
      const name = nameOf(this.state, leader);
      this.#report(entry, 0, 'leaderElected', `${name} leads in term ${entry.term}`, {
        leader,
        term: entry.term,
        name,
      });
    }
    if (entry.kind === entryKinds.configuration) {
      const { voters, learners } = JSON.parse(fromBytes(entry.data)) as Configuration;
      const reason = this.state.configure(voters, entry.index);
      const names = voters.map((voter) => nameOf(this.state, voter));
      const text = `voters: ${names.join(', ')}${reason === undefined ? '' : ` (${reason})`}`;
      this.#report(entry, 0, 'votersChanged', text, { voters, learners });
      this.#events.leadershipChanged();
    }
    const proposed = this.#proposed.get(entry.index);
    if (proposed === undefined) return;
    this.#proposed.delete(entry.index);
    // Another leader's entry took the place: what was proposed here never happened at this index.
    if (proposed.term !== entry.term) proposed.done(refusal(errors.leaderUnknown({})));
  }

  #applyCommand(entry: Entry): void {
    const command = decodeCommand(entry.data);
    if (command.kind !== 'kvPut' && command.kind !== 'kvDelete') this.decidedIndex = entry.index;
    const { result, news } = applyOnce(this.state, command, entry.index);
    if (news !== undefined) {
      this.#report(entry, command.atMs, news.kind, news.text, news.details);
      this.#events.applied(news);
      if (awaited.has(news.kind)) this.raft.tellCommitted();
    }
    const proposed = this.#proposed.get(entry.index);
    if (proposed === undefined || proposed.term !== entry.term) return;
    this.#proposed.delete(entry.index);
    proposed.done(result);
  }

  #report(entry: Entry, atMs: number, kind: string, text: string, details: Report['details']): void {
    const report = { index: entry.index, atMs, kind, text, details };
    this.state.audit.add(report);
    this.#context.out.report(report);
  }

  /** What the log said behind an index that this node does not read any more, as far as it is kept. */
  #reportAudit(index: number): void {
    for (const report of this.state.audit.reports) if (report.index > index) this.#context.out.report(report);
  }

  #noticeLeadership(): void {
    const now = { leader: this.raft.leader, ready: this.isReady(), term: this.raft.term };
    const before = this.#seen;
    if (now.leader === before.leader && now.ready === before.ready && now.term === before.term) return;
    this.#seen = now;
    if (before.leader === this.#context.self && now.leader !== this.#context.self) this.#loseProposals();
    this.#events.leadershipChanged();
  }

  /** Whether they take effect is for the next leader's log to say. */
  #loseProposals(): void {
    const lost = [...this.#proposed.values()];
    this.#proposed.clear();
    for (const { done } of lost) done(refusal(errors.leaderUnknown({})));
  }
}

export type { RaftMessage };
