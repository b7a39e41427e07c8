import {
  type Entry,
  entryKinds,
  type HardState,
  type Outgoing,
  type Output,
  type Persist,
  Raft,
  type RaftMessage,
  type RaftOptions,
  type Snapshot,
} from '../../consensus/raft.ts';
import { Disk } from './disk.ts';

/** A message that was sent and has not arrived. */
export interface Letter {
  from: string;
  to: string;
  message: RaftMessage;
  /** Kept back until it is asked for. */
  isDelayed: boolean;
}

interface Write {
  persist: Persist;
  late: Outgoing[];
}

/** A node, its disk, and what is being written to it. */
export interface Actor {
  id: string;
  raft: Raft | undefined;
  disk: Disk;
  writes: Write[];
  /** What came through in this life, in order, for disks that say it twice. */
  written: Persist[];
  /** What its state machine was given in this life. */
  applied: Entry[];
  /** What came of all commands: the words that they said, in order. */
  words: string[];
}

/** What an audience gets to see. */
export type Scene =
  | { kind: 'acted'; raft: Raft }
  | { kind: 'said'; from: string; to: string; message: RaftMessage }
  | { kind: 'writing'; id: string; persist: Persist }
  | { kind: 'applied'; id: string; entry: Entry }
  | { kind: 'installed'; id: string; snapshot: Snapshot }
  | { kind: 'answered'; id: string; read: number; words: readonly string[] }
  | { kind: 'lost'; id: string; read: number };

/** A snapshot has a byte at least. */
const nothingSaid = '-';

/** What a snapshot says: all words up to there. */
export function wordsIn({ data }: Snapshot): string[] {
  const text = new TextDecoder().decode(data);
  return text === nothingSaid ? [] : text.split(' ');
}

/**
 * Real nodes, moved by hand: nothing arrives, comes to a disk or becomes due unless it is asked for. One clock for all;
 * it goes forward when a node is woken.
 */
export class Stage {
  nowMs = 0;
  wire: Letter[] = [];
  readonly actors = new Map<string, Actor>();
  readonly #options: Partial<RaftOptions>;
  readonly #random: () => number;
  readonly #audience: (scene: Scene) => void;

  constructor(options: Partial<RaftOptions>, random: () => number, audience: (scene: Scene) => void = () => {}) {
    this.#options = options;
    this.#random = random;
    this.#audience = audience;
  }

  add(id: string, entries: readonly Entry[], hardState: HardState): void {
    const disk = new Disk(entries, hardState);
    this.actors.set(id, { id, raft: undefined, disk, writes: [], written: [], applied: [], words: [] });
    this.start(id);
  }

  actor(id: string): Actor {
    const actor = this.actors.get(id);
    if (actor === undefined) throw new Error(`there is no ${id}`);
    return actor;
  }

  /** The running node. */
  node(id: string): Raft {
    const { raft } = this.actor(id);
    if (raft === undefined) throw new Error(`${id} is down`);
    return raft;
  }

  get running(): Raft[] {
    return [...this.actors.values()].flatMap(({ raft }) => raft ?? []);
  }

  /** Does something to a node, and takes what it wants. */
  on<T>(id: string, act: (raft: Raft, nowMs: number) => T): T {
    const result = act(this.node(id), this.nowMs);
    this.#take(this.actor(id));
    return result;
  }

  /** A node puts a snapshot in the place of what it has applied. False: there is nothing to put there. */
  compact(id: string, keepEntries: number): boolean {
    const data = Buffer.from(this.actor(id).words.join(' ') || nothingSaid);
    return this.on(id, (raft) => raft.compact(data, keepEntries));
  }

  /** Lets the clock go to what a node waits for, if it waits for anything. */
  wake(id: string): void {
    const deadlineMs = this.node(id).deadlineMs();
    if (deadlineMs === Number.POSITIVE_INFINITY) return;
    this.nowMs = Math.max(this.nowMs, deadlineMs);
    this.on(id, (raft, now) => raft.tick(now));
  }

  /** What is under way between two nodes, the oldest first. */
  letters(from: string, to: string, isDelayed = false): Letter[] {
    return this.wire.filter((one) => one.from === from && one.to === to && one.isDelayed === isDelayed);
  }

  /** A letter to a node that is down, or that nobody knows, is lost. */
  deliver(letter: Letter): void {
    this.lose(letter);
    if (this.actors.get(letter.to)?.raft === undefined) return;
    this.on(letter.to, (raft, now) => raft.receive(letter.from, structuredClone(letter.message), now));
  }

  lose(letter: Letter): void {
    this.wire = this.wire.filter((one) => one !== letter);
  }

  /** The oldest write of a node comes through. False: nothing is being written. */
  save(id: string): boolean {
    const actor = this.actor(id);
    const [write] = actor.writes;
    if (write === undefined) return false;
    actor.disk.write(write.persist);
    actor.written.push(write.persist);
    this.on(id, (raft, now) => raft.durable(write.persist, now));
    // Only now: what the node said meanwhile may have been put behind this write.
    actor.writes.shift();
    this.#say(id, write.late);
    return true;
  }

  /** The first so many writes that are under way still come through, but nothing that rests on them is said. */
  crash(id: string, through = 0): void {
    const actor = this.actor(id);
    for (const { persist } of actor.writes.slice(0, through)) actor.disk.write(persist);
    actor.raft = undefined;
    actor.writes = [];
  }

  start(id: string): void {
    const actor = this.actor(id);
    const { entries, hardState, base, snapshot } = actor.disk;
    actor.written = [];
    actor.applied = [];
    actor.words = snapshot ? wordsIn(snapshot) : [];
    actor.raft = new Raft({
      id,
      hardState,
      entries,
      base,
      snapshot,
      options: this.#options,
      random: this.#random,
      nowMs: this.nowMs,
    });
    this.#audience({ kind: 'acted', raft: actor.raft });
  }

  #take(actor: Actor): void {
    const { id, raft } = actor;
    if (raft === undefined) return;
    this.#audience({ kind: 'acted', raft });
    for (let more = true; more; ) {
      const output = raft.takeOutput();
      this.#say(id, output.early);
      if (output.persist !== undefined) {
        actor.writes.push({ persist: output.persist, late: [] });
        this.#audience({ kind: 'writing', id, persist: output.persist });
      }
      const last = actor.writes.at(-1);
      if (last !== undefined) last.late.push(...output.late);
      else this.#say(id, output.late);
      this.#feed(actor, output);
      more = output.more;
    }
  }

  /** What its state machine gets to do. */
  #feed(actor: Actor, { installed, committed, reads, readsLost }: Output): void {
    const { id } = actor;
    if (installed !== undefined) {
      actor.words = wordsIn(installed);
      this.#audience({ kind: 'installed', id, snapshot: installed });
    }
    for (const entry of committed) {
      actor.applied.push(entry);
      if (entry.kind === entryKinds.command) actor.words.push(new TextDecoder().decode(entry.data));
      this.#audience({ kind: 'applied', id, entry });
    }
    for (const read of reads) this.#audience({ kind: 'answered', id, read: read.id, words: actor.words });
    for (const read of readsLost) this.#audience({ kind: 'lost', id, read });
  }

  #say(from: string, letters: readonly Outgoing[]): void {
    for (const { to, message } of letters) {
      this.wire.push({ from, to, message, isDelayed: false });
      this.#audience({ kind: 'said', from, to, message });
    }
  }
}
