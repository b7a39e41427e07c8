import { branchKey, branchPattern, closedNumber, isApart, isBranchKey } from './branch.ts';
import type { ClusterState } from './cluster-state.ts';
import type { Context } from './context.ts';
import type { Holder, Kept } from './holder.ts';
import type { BranchHere, BranchRecord, MessageOf, NodeId } from './message.ts';
import { idPattern } from './operation-check.ts';
import { keys } from './records.ts';
import { limits, replicatedBytesMax } from './settings.ts';
import { StateBytes } from './state-bytes.ts';
import { BranchRecord as BranchCodec } from './wire/messages.ts';

/** A branch that is kept here. */
export interface KeptBranch {
  key: string;
  record: BranchRecord;
  /** Number and step of the copy; both 0 while there is none. */
  number: number;
  /** Those before that number. */
  numbers: number[];
  sequence: number;
  /** A majority was heard: no step is added any more, under whatever number. */
  closed: boolean;
}

/** Whoever knows this has all that a holder could hand over. */
const knowsAll = { epoch: Number.MAX_SAFE_INTEGER, sequence: 0, checksum: 0 };

/**
 * The branches that this node keeps: where each began, and the copy of its state, which the node's holder has under the
 * branch's key with its number in the place of an epoch. So a number seals what an epoch does, and a branch that is sealed
 * above all numbers is closed for good.
 */
export class BranchStore {
  readonly #context: Context;
  readonly #holder: Holder;
  readonly #state: ClusterState;
  readonly #mayKeep: () => boolean;
  readonly #records: Map<string, BranchRecord>;

  constructor(
    context: Context,
    holder: Holder,
    state: ClusterState,
    of: { records: Map<string, BranchRecord>; mayKeep: () => boolean },
  ) {
    this.#context = context;
    this.#holder = holder;
    this.#state = state;
    this.#records = of.records;
    this.#mayKeep = of.mayKeep;
  }

  get(agent: string, branch: string): KeptBranch | undefined {
    return this.#kept(branchKey(agent, branch));
  }

  all(): KeptBranch[] {
    return [...this.#records.keys()].flatMap((key) => this.#kept(key) ?? []);
  }

  get size(): number {
    return this.#records.size;
  }

  #kept(key: string): KeptBranch | undefined {
    const record = this.#records.get(key);
    if (record === undefined) return undefined;
    const { epoch = 0, sequence = 0, sealedEpoch = 0 } = this.#holder.stepOf(key) ?? {};
    const of = { number: epoch, numbers: numbersOf(record, epoch), sequence };
    return { key, record, ...of, closed: sealedEpoch === closedNumber };
  }

  copy(key: string): Kept | undefined {
    return this.#holder.kept(key);
  }

  /**
   * A host is to run the branch under a number; answers once that and where it began are on disk. Not where the copy here
   * would have to go that has steps which are not in what the host goes on from.
   */
  keep(from: NodeId, record: BranchRecord, answer: (kept: MessageOf<'branchKept'>) => void): void {
    const { agent, branch, number } = record;
    const key = branchKey(agent, branch);
    const reply = { agent, branch, number, accepted: false };
    const isWanted = from === record.host && this.#isSound(key, record) && !this.#isApart(key, record);
    if (!this.#mayKeep() || !isWanted) return answer(reply);
    this.#holder.seal(key, number, knowsAll, ({ granted }) => {
      if (!granted || !this.#mayKeep()) return answer(reply);
      const baseState = record.baseState.slice();
      this.#records.set(key, { ...record, baseState });
      this.#context.out.persist([{ key: keys.branch(key), value: BranchCodec.encode(record) }], () =>
        answer({ ...reply, accepted: true }),
      );
    });
  }

  #isApart(key: string, { number, numbers }: BranchRecord): boolean {
    const kept = this.#kept(key);
    if (kept === undefined || kept.number === number) return false;
    return isApart({ ...kept, baseSequence: kept.record.baseSequence }, numbers);
  }

  #isSound(key: string, record: BranchRecord): boolean {
    const { agent, created, baseState, baseChecksum, number, keepers } = record;
    if (!idPattern.test(agent) || !branchPattern.test(record.branch)) return false;
    const known = this.#state.agents.get(agent);
    // One that has just started may not know what was decided: it can keep branches all the same.
    const isKnown = known?.created === created && known.partition === 'autonomous';
    if (!isKnown && this.#state.index >= created) return false;
    if (!this.#records.has(key) && this.#records.size >= limits.branchesKeptMax) return false;
    if (number <= 0 || number >= closedNumber || !keepers.includes(this.#context.self)) return false;
    if (baseState.byteLength > replicatedBytesMax) return false;
    return StateBytes.of(baseState, this.#context.settings.statePartBytes).checksum === baseChecksum;
  }

  /** Copies whose record did not come to the disk: nothing was acknowledged with them. */
  sweep(): void {
    for (const key of [...this.#holder.agents()]) {
      if (isBranchKey(key) && !this.#records.has(key)) this.#holder.onGone(key, Number.POSITIVE_INFINITY);
    }
  }

  /** From here on no step is added to it. Also what is not durable of that yet counts. */
  close(key: string): void {
    const record = this.#records.get(key);
    const step = this.#holder.stepOf(key);
    if (record === undefined || step?.sealedEpoch === closedNumber) return;
    const closed = { ...record, untilMs: this.#context.wallMs };
    this.#records.set(key, closed);
    this.#holder.seal(key, closedNumber, knowsAll, () => {});
    this.#context.out.persist([{ key: keys.branch(key), value: BranchCodec.encode(closed) }]);
  }

  forget(key: string): void {
    if (!this.#records.delete(key)) return;
    this.#holder.onGone(key, Number.POSITIVE_INFINITY);
    this.#context.out.persist([{ key: keys.branch(key), value: undefined }]);
  }

  /** What others are told of them. */
  here(): BranchHere[] {
    return this.all().map(({ record, number, numbers, sequence, closed }) => ({
      ...{ agent: record.agent, branch: record.branch, number, sequence, closed, runs: false, active: false },
      ...{ keepers: record.keepers, tasks: 0, numbers, baseSequence: record.baseSequence },
    }));
  }
}

/** The numbers before that of a copy, which may be older than the record: one may be to run what has not begun. */
function numbersOf(record: BranchRecord, number: number): number[] {
  const isKnown = number === record.number || record.numbers.includes(number);
  return isKnown ? record.numbers.filter((before) => before < number) : [];
}
