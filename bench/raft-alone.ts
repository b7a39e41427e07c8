import { entryKinds } from '../consensus/entry.ts';
import { Raft } from '../consensus/raft.ts';

const warmUpCommands = 20_000;
const measuredCommands = 100_000;
/** Proposed together, as from so many clients at once. */
const batch = 64;

/** Nodes of the Raft module wired to each other in memory, whose disk takes no time. */
class Wired {
  readonly #nodes: Raft[];
  readonly #leader: Raft;
  #nowMs = 0;
  /** Commands that came out of the leader. */
  committed = 0;

  constructor(count: number) {
    const ids = Array.from({ length: count }, (_, i) => `n${i + 1}`);
    const entries = Raft.bootstrapEntries({ voters: ids, learners: [] });
    const hardState = { term: 1, vote: '' };
    this.#nodes = ids.map((id) => new Raft({ id, hardState, entries: [...entries], random: Math.random, nowMs: 0 }));
    this.#leader = this.#nodes[0] as Raft;
    this.#leader.campaign(0);
    this.run();
    if (!this.#leader.readyToLead()) throw new Error('the first of the nodes was not elected');
  }

  propose(data: Uint8Array): void {
    // A hundred thousand a second of virtual time.
    this.#nowMs += 0.01;
    const proposed = this.#leader.propose(data, this.#nowMs);
    if (!proposed.ok) throw new Error(`the leader refused a command: ${proposed.reason}`);
  }

  /** Carries messages to and fro until nobody has anything more to say. */
  run(): void {
    for (let isBusy = true; isBusy; ) {
      isBusy = false;
      for (const node of this.#nodes) isBusy = this.#runOne(node) || isBusy;
    }
  }

  #runOne(node: Raft): boolean {
    const { early, persist, late, committed, more } = node.takeOutput();
    if (persist !== undefined) node.durable(persist, this.#nowMs);
    for (const { to, message } of [...early, ...late]) {
      this.#nodes.find(({ id }) => id === to)?.receive(node.id, message, this.#nowMs);
    }
    if (node === this.#leader) this.committed += committed.filter(({ kind }) => kind === entryKinds.command).length;
    return early.length + late.length + committed.length > 0 || persist !== undefined || more;
  }
}

/** Commands a second that the Raft module alone commits on so many nodes in one process, without network or disk. */
export function raftAlone(nodes: number, commandBytes: number): number {
  const wired = new Wired(nodes);
  const data = new Uint8Array(commandBytes);
  const commit = (commands: number): void => {
    const until = wired.committed + commands;
    while (wired.committed < until) {
      for (let i = 0; i < batch; i++) wired.propose(data);
      wired.run();
    }
  };
  commit(warmUpCommands);
  const startMs = performance.now();
  commit(measuredCommands);
  return measuredCommands / ((performance.now() - startMs) / 1_000);
}
