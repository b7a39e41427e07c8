import type { AgentState } from './agent-state.ts';
import { joined } from './bytes.ts';
import type { Context } from './context.ts';
import { errors, toErrorBody } from './errors.ts';
import type { Holder } from './holder.ts';
import type { MessageOf, NodeId } from './message.ts';
import type { Outcome } from './operation.ts';
import type { Quorum } from './replication.ts';
import { limits } from './settings.ts';

/** An agent's state as of a moment. */
export interface StateRead {
  epoch: number;
  sequence: number;
  bytes: number;
  /** In pieces. Made when it is asked for. */
  state: () => Uint8Array[];
}

interface Read {
  round: number;
  answer: StateRead;
  confirmed: Set<NodeId>;
  done: (read: StateRead) => void;
}

/** Whose state is read, and how many of its holders must confirm that the epoch stands. */
interface Readers {
  agent: string;
  epoch: number;
  holders: readonly NodeId[];
  quorum: Quorum;
}

const readsMax = 256;

/**
 * Reads of an agent's state that are not out of date: each is answered once a majority of the holders has confirmed,
 * after it was asked, that no higher epoch is sealed, and once what it shows is durable.
 */
export class StateReads {
  readonly #context: Context;
  readonly #holder: Holder;
  readonly #agent: string;
  readonly #epoch: number;
  readonly #holders: readonly NodeId[];
  readonly #quorum: Quorum;
  #reads: Read[] = [];
  #round = 0;

  constructor(context: Context, holder: Holder, of: Readers) {
    this.#context = context;
    this.#holder = holder;
    this.#agent = of.agent;
    this.#epoch = of.epoch;
    this.#holders = of.holders;
    this.#quorum = of.quorum;
  }

  /** Begins a read of the state as it is now; false when too many are under way. */
  begin(sequence: number, state: AgentState, done: Read['done'], onConfirmed: Confirmed): boolean {
    if (this.#reads.length >= readsMax) return false;
    this.#round += 1;
    const answer = { epoch: this.#epoch, sequence, bytes: state.ownLength, state: state.own() };
    const read = { round: this.#round, answer, confirmed: new Set<NodeId>(), done };
    this.#reads.push(read);
    this.#ask(read, onConfirmed);
    return true;
  }

  /** Asks again whoever has not confirmed. */
  retry(onConfirmed: Confirmed): void {
    for (const read of this.#reads) this.#ask(read, onConfirmed);
  }

  #ask({ round, confirmed }: Read, onConfirmed: Confirmed): void {
    for (const node of this.#holders) {
      if (confirmed.has(node)) continue;
      const body = { agent: this.#agent, epoch: this.#epoch, round };
      if (node === this.#context.self) onConfirmed(node, this.#holder.confirm(body));
      else this.#context.out.sendUrgent(node, { type: 'confirm', body });
    }
  }

  /** Whether the epoch still stands at that holder; undefined when it is none, or speaks of another epoch. */
  onConfirmed(from: NodeId, { epoch, round, standing }: MessageOf<'confirmed'>): boolean | undefined {
    if (epoch !== this.#epoch || !this.#holders.includes(from)) return undefined;
    if (standing) for (const read of this.#reads) if (read.round <= round) read.confirmed.add(from);
    return standing;
  }

  /** Answers the reads that are confirmed and show nothing that could still be lost. */
  answer(durableSequence: number): void {
    const needed = this.#quorum(this.#holders.length);
    const isReady = ({ answer, confirmed }: Read) => answer.sequence <= durableSequence && confirmed.size >= needed;
    const ready = this.#reads.filter(isReady);
    if (ready.length === 0) return;
    this.#reads = this.#reads.filter((read) => !ready.includes(read));
    for (const { answer, done } of ready) done(answer);
  }

  clear(): void {
    this.#reads = [];
  }
}

/** A read as a user is told it. */
export function tellState(
  agent: string,
  { epoch, sequence, bytes, state }: StateRead,
  provisional?: { provisional: true; branch: string },
): Outcome {
  const bytesMax = limits.readStateBytesMax;
  if (bytes > bytesMax)
    return { ok: false, error: toErrorBody(errors.stateTooLargeToTell({ agent, bytes, bytesMax })) };
  return { ok: true, result: { agent, epoch, sequence, state: joined(state()), ...provisional } };
}

type Confirmed = (from: NodeId, confirmed: MessageOf<'confirmed'>) => void;
