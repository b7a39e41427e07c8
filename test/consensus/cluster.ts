import type { Persist } from '../../consensus/raft.ts';
import {
  type Configuration,
  type Entry,
  type HardState,
  type LogBase,
  type Outgoing,
  Raft,
  type RaftMessage,
  type RaftOptions,
  type ReadyRead,
  type Snapshot,
} from '../../consensus/raft.ts';
import { Checker, type Witness } from './checker.ts';
import { seeded } from './random.ts';

/** What the network does to a message. */
export interface Faults {
  loss: number;
  duplication: number;
  delayMsMin: number;
  delayMsMax: number;
  diskMsMax: number;
}

const calm: Faults = { loss: 0, duplication: 0, delayMsMin: 1, delayMsMax: 1, diskMsMax: 1 };

interface Machine extends Witness {
  /** By index, from 1 on; what a snapshot took the place of is gone. */
  stored: Entry[];
  snapshot: (Snapshot & { base: LogBase }) | undefined;
  hardState: HardState;
  writes: { persist: Persist; late: Outgoing[] }[];
  isPaused: boolean;
  reads: { read: ReadyRead; applied: number }[];
  readsLost: number[];
  /** What came in while it was paused. */
  waiting: (() => void)[];
  /** Raised by a crash: what was under way before concerns nobody. */
  life: number;
}

interface Happening {
  atMs: number;
  order: number;
  run: () => void;
}

export interface Sent {
  from: string;
  to: string;
  message: RaftMessage;
  atMs: number;
}

/** Nodes on a network and disks that are as bad as asked, all drawn from one seed; every step is checked. */
export class Cluster {
  nowMs = 0;
  faults = calm;
  readonly checker = new Checker();
  /** Everything that was sent, for stories that look at it; emptied by who reads it. */
  sent: Sent[] = [];
  readonly random: () => number;
  readonly #machines = new Map<string, Machine>();
  readonly #cuts = new Set<string>();
  readonly #options: Partial<RaftOptions>;
  #happenings: Happening[] = [];
  #order = 0;

  constructor(seed: number, voters: readonly string[], options: Partial<RaftOptions> = {}) {
    this.random = seeded(seed);
    this.#options = options;
    const entries = Raft.bootstrapEntries({ voters, learners: [] });
    for (const id of voters) this.add(id, entries, { term: 1, vote: '' });
  }

  get ids(): string[] {
    return [...this.#machines.keys()];
  }

  /** A node with this on its disk; by default a new one. */
  add(id: string, stored: readonly Entry[] = [], hardState: HardState = { term: 0, vote: '' }): Raft {
    const machine: Machine = {
      id,
      stored: [...stored],
      snapshot: undefined,
      hardState,
      raft: undefined,
      applied: [],
      writes: [],
      isPaused: false,
      reads: [],
      readsLost: [],
      waiting: [],
      life: 0,
    };
    this.#machines.set(id, machine);
    return this.start(id);
  }

  /** The running node. */
  node(id: string): Raft {
    const raft = this.#machine(id).raft;
    if (raft === undefined) throw new Error(`${id} is down`);
    return raft;
  }

  isUp(id: string): boolean {
    return this.#machine(id).raft !== undefined;
  }

  applied(id: string): readonly Entry[] {
    return this.#machine(id).applied;
  }

  stored(id: string): readonly Entry[] {
    return this.#machine(id).stored;
  }

  /** Does something to a node and then what the node wants. */
  on<T>(id: string, act: (raft: Raft, nowMs: number) => T): T {
    const result = act(this.node(id), this.nowMs);
    this.#serve(this.#machine(id));
    return result;
  }

  start(id: string): Raft {
    const machine = this.#machine(id);
    const { hardState, stored, snapshot } = machine;
    machine.applied = snapshot === undefined ? [] : appliedIn(snapshot.data);
    machine.raft = new Raft({
      id,
      hardState,
      entries: stored.filter(({ index }) => index > (snapshot?.base.index ?? 0)),
      base: snapshot?.base,
      snapshot,
      options: this.#options,
      random: this.random,
      nowMs: this.nowMs,
    });
    return machine.raft;
  }

  /** Stops a node; of what was being written some may have come through, in order, but nothing that rests on it leaves. */
  crash(id: string): void {
    const machine = this.#machine(id);
    const through = Math.floor(this.random() * (machine.writes.length + 1));
    for (const { persist } of machine.writes.slice(0, through)) write(machine, persist);
    machine.raft = undefined;
    machine.writes = [];
    machine.waiting = [];
    machine.isPaused = false;
    machine.life += 1;
  }

  /** The others' connections to a node close. */
  hangUp(id: string, noticeMsMax = 2): void {
    for (const machine of this.#machines.values()) {
      if (machine.id === id) continue;
      this.#later(this.random() * noticeMsMax, machine, () =>
        this.on(machine.id, (raft, now) => raft.peerLost(id, now)),
      );
    }
  }

  pause(id: string): void {
    this.#machine(id).isPaused = true;
  }

  /** The node goes on, and first finds what its sockets have kept. */
  resume(id: string): void {
    const machine = this.#machine(id);
    machine.isPaused = false;
    for (const run of machine.waiting.splice(0)) run();
  }

  cut(from: string, to: string): void {
    this.#cuts.add(`${from}>${to}`);
  }

  /** Only nodes of the same group hear each other. */
  partition(...groups: string[][]): void {
    this.#cuts.clear();
    const groupOf = (id: string): number => groups.findIndex((group) => group.includes(id));
    for (const a of this.ids) for (const b of this.ids) if (groupOf(a) !== groupOf(b)) this.cut(a, b);
  }

  heal(): void {
    this.#cuts.clear();
  }

  run(durationMs: number): void {
    this.until(() => false, durationMs);
  }

  /** Lets things happen until something holds, at most for a time. Returns whether it came to hold. */
  until(holds: () => boolean, durationMs = 10_000): boolean {
    const endMs = this.nowMs + durationMs;
    while (!holds()) {
      const next = Math.min(this.#happenings[0]?.atMs ?? Number.POSITIVE_INFINITY, this.#deadlineMs());
      if (next > endMs) {
        this.nowMs = endMs;
        return holds();
      }
      this.nowMs = Math.max(this.nowMs, next);
      this.#step();
    }
    return true;
  }

  /** The node that leads with a majority behind it, once there is one. */
  leader(withinMs = 10_000): string {
    const find = (): string | undefined =>
      this.ids.find((id) => this.isUp(id) && this.node(id).readyToLead() && this.node(id).hearsQuorum(this.nowMs));
    if (!this.until(() => find() !== undefined, withinMs)) throw new Error(`no leader within ${withinMs} ms`);
    return find() as string;
  }

  /** Proposes at a leader and waits until some nodes have applied it. */
  commit(text: string, at = this.leader(), everywhere: readonly string[] = [at]): Entry {
    const proposed = this.on(at, (raft, now) => raft.propose(Buffer.from(text), now));
    if (!proposed.ok) throw new Error(`${at} refuses: ${proposed.reason}`);
    const done = this.until(() => everywhere.every((id) => this.applied(id).length >= proposed.index));
    const entry = this.applied(at)[proposed.index - 1];
    if (!done || entry === undefined) throw new Error(`${text} was not committed`);
    return entry;
  }

  /** A node takes a snapshot of what it has applied: the very entries, so that nothing can hide. */
  compact(id: string, keepEntries: number): boolean {
    const { applied } = this.#machine(id);
    const data = Buffer.from(JSON.stringify(applied.map((entry) => ({ ...entry, data: [...entry.data] }))));
    return this.on(id, (raft) => raft.compact(data, keepEntries));
  }

  /** Reads that a node was allowed to answer, with what it had applied then; emptied by who reads them. */
  takeReads(id: string): { read: ReadyRead; applied: number }[] {
    return this.#machine(id).reads.splice(0);
  }

  takeReadsLost(id: string): number[] {
    return this.#machine(id).readsLost.splice(0);
  }

  change(next: Configuration, at = this.leader()): ReturnType<Raft['changeConfiguration']> {
    return this.on(at, (raft, now) => raft.changeConfiguration(next, now));
  }

  takeSent(): Sent[] {
    return this.sent.splice(0);
  }

  compareLogs(): void {
    this.checker.compareLogs(this.ids.filter((id) => this.isUp(id)).map((id) => this.node(id)));
  }

  #step(): void {
    const due = this.#happenings[0];
    if (due !== undefined && due.atMs <= this.nowMs) {
      this.#happenings.shift();
      due.run();
      return;
    }
    for (const machine of this.#machines.values()) {
      if (machine.isPaused || machine.raft === undefined || machine.raft.deadlineMs() > this.nowMs) continue;
      this.on(machine.id, (raft, now) => raft.tick(now));
      if ((machine.raft?.deadlineMs() ?? 0) <= this.nowMs)
        throw new Error(`${machine.id} asks to be woken in the past`);
    }
  }

  #deadlineMs(): number {
    const deadlines = [...this.#machines.values()].map((machine) =>
      machine.isPaused ? Number.POSITIVE_INFINITY : (machine.raft?.deadlineMs() ?? Number.POSITIVE_INFINITY),
    );
    return Math.min(...deadlines);
  }

  #serve(machine: Machine): void {
    const raft = machine.raft;
    if (raft === undefined) return;
    this.checker.sawRole(raft);
    for (let more = true; more; ) {
      const output = raft.takeOutput();
      for (const { to, message } of output.early) this.#send(machine.id, to, message);
      const writing = machine.writes.at(-1);
      if (output.persist !== undefined) {
        machine.writes.push({ persist: output.persist, late: output.late });
        if (writing === undefined) this.#writeNext(machine);
      } else if (writing !== undefined) {
        writing.late.push(...output.late);
      } else {
        for (const { to, message } of output.late) this.#send(machine.id, to, message);
      }
      if (output.installed !== undefined) {
        machine.applied = appliedIn(output.installed.data);
        this.checker.sawRestored(machine);
      }
      for (const entry of output.committed) {
        this.checker.sawCommitted(machine, raft, entry, this.#machines);
      }
      for (const read of output.reads) machine.reads.push({ read, applied: machine.applied.length });
      machine.readsLost.push(...output.readsLost);
      more = output.more;
    }
  }

  #writeNext(machine: Machine): void {
    this.#later(this.random() * this.faults.diskMsMax, machine, () => {
      const done = machine.writes[0];
      if (done === undefined) return;
      write(machine, done.persist);
      this.on(machine.id, (raft, now) => raft.durable(done.persist, now));
      // Only now: what the node said meanwhile may have been put behind this write.
      machine.writes.shift();
      for (const { to, message } of done.late) this.#send(machine.id, to, message);
      if (machine.writes.length > 0) this.#writeNext(machine);
    });
  }

  #send(from: string, to: string, message: RaftMessage): void {
    this.sent.push({ from, to, message, atMs: this.nowMs });
    if (this.sent.length > 100_000) this.sent.splice(0, 50_000);
    const machine = this.#machines.get(to);
    if (machine === undefined) return;
    const copies = this.random() < this.faults.duplication ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      if (this.random() < this.faults.loss) continue;
      const { delayMsMin, delayMsMax } = this.faults;
      this.#later(delayMsMin + this.random() * (delayMsMax - delayMsMin), machine, () => {
        if (this.#cuts.has(`${from}>${to}`)) return;
        this.on(to, (raft, now) => raft.receive(from, structuredClone(message), now));
      });
    }
  }

  /** Plans something for a node, unless it dies before. */
  #later(delayMs: number, machine: Machine, act: () => void): void {
    const life = machine.life;
    const run = (): void => {
      if (machine.life !== life || machine.raft === undefined) return;
      if (machine.isPaused) machine.waiting.push(act);
      else act();
    };
    this.#order += 1;
    const happening = { atMs: this.nowMs + delayMs, order: this.#order, run };
    // From the end: most of what is planned comes after what is planned already.
    let place = this.#happenings.length;
    while (place > 0 && (this.#happenings[place - 1]?.atMs ?? 0) > happening.atMs) place -= 1;
    this.#happenings.splice(place, 0, happening);
  }

  #machine(id: string): Machine {
    const machine = this.#machines.get(id);
    if (machine === undefined) throw new Error(`there is no ${id}`);
    return machine;
  }
}

function write(machine: Machine, persist: Persist): void {
  const { hardState, snapshot, dropFrom, dropThrough = 0, truncateFrom, truncateThrough, entries } = persist;
  if (hardState !== undefined) machine.hardState = hardState;
  if (truncateFrom !== undefined) {
    if (truncateThrough !== lastIndexOf(machine)) throw new Error(`${machine.id} cuts up to ${truncateThrough}`);
    machine.stored = machine.stored.filter(({ index }) => index < truncateFrom);
  }
  if (dropFrom !== undefined) {
    const first = machine.stored[0]?.index ?? dropFrom;
    if (dropFrom !== first && dropFrom <= lastIndexOf(machine)) throw new Error(`${machine.id} drops from ${dropFrom}`);
    machine.stored = machine.stored.filter(({ index }) => index < dropFrom || index > dropThrough);
  }
  if (snapshot !== undefined) machine.snapshot = snapshot;
  for (const entry of entries) {
    if (entry.index !== lastIndexOf(machine) + 1) throw new Error(`${machine.id} leaves a gap at ${entry.index}`);
    machine.stored.push(entry);
  }
}

function lastIndexOf({ stored, snapshot }: Machine): number {
  return stored.at(-1)?.index ?? snapshot?.base.index ?? 0;
}

/** The entries that a snapshot of `compact` is made of. */
function appliedIn(data: Uint8Array): Entry[] {
  const entries = JSON.parse(Buffer.from(data).toString()) as (Omit<Entry, 'data'> & { data: number[] })[];
  return entries.map((entry) => ({ ...entry, data: Uint8Array.from(entry.data) }));
}
