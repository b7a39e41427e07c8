import type { NodeId } from './message.ts';
import { limits } from './settings.ts';

/** A step of an agent's history. */
export interface StepName {
  epoch: number;
  sequence: number;
}

/** The step of the majority's history that a branch began from. */
export interface BranchBase extends StepName {
  /** Of the whole state there. */
  checksum: number;
}

/** How a branch ended: what it did is part of the majority's history, or it is kept beside it. */
export const branchOutcomes = ['fastForwarded', 'merged', 'contained', 'forked'] as const;
export type BranchOutcome = (typeof branchOutcomes)[number];

export interface BranchEnd {
  outcome: BranchOutcome;
  reason: string;
  /** Steps that the majority's history had taken meanwhile. */
  steps: number;
  /** Log index of the decision. */
  index: number;
}

/** What the log knows of one branch under one number. */
export interface BranchEntry {
  readonly id: string;
  readonly number: number;
  /** Those under which it ran before, the newest last; older logs do not say. */
  readonly numbers?: readonly number[] | undefined;
  readonly base: BranchBase;
  /** The newest step that a keeper told of. */
  readonly sequence: number;
  readonly host: NodeId;
  /** Those that told of it. */
  readonly keepers: readonly NodeId[];
  /** Wall clocks of that side, ms since 1970. */
  readonly sinceMs: number;
  readonly untilMs: number;
  /** Tasks that ended there. */
  readonly tasks: number;
  /** Undefined while it is to be reconciled. */
  readonly end?: BranchEnd | undefined;
}

/** An epoch that became active, and the step of an earlier one that it went on from. */
export interface Descent {
  readonly epoch: number;
  /** Not known of a new agent, and of what older logs say. */
  readonly from?: StepName | undefined;
}

export type BranchCommand =
  | {
      kind: 'branchFound';
      agent: string;
      /** Log index of the creation of the agent that is meant. */
      created: number;
      keeper: NodeId;
      branch: Omit<BranchEntry, 'keepers' | 'end'>;
    }
  | {
      kind: 'branchEnd';
      agent: string;
      branch: string;
      number: number;
      outcome: BranchOutcome;
      reason: string;
      steps: number;
    }
  | { kind: 'forkDelete'; agent: string; branch: string; number: number };

/** Above every number: a branch whose copy is sealed there is over. */
export const closedNumber = Number.MAX_SAFE_INTEGER;
/** Numbers are drawn within steps of this, so that those of two acting managers differ. */
const numberStep = 2 ** 30;

/** A number above another one. */
export function numberAfter(number: number, random: () => number): number {
  return (Math.floor(number / numberStep) + 1) * numberStep + Math.floor(random() * numberStep);
}

/** The numbers under which a branch ran before one that goes on from another. */
export const numbersAfter = (numbers: readonly number[], number: number): number[] =>
  [...numbers, number].slice(-limits.branchNumbersMax);

/**
 * Whether a copy has steps that a branch does not go on from, which ran under these numbers before: its side was cut off and
 * went its own way. What was acknowledged there is in no other copy.
 */
export const isApart = (
  copy: { number: number; sequence: number; baseSequence: number },
  numbers: readonly number[],
): boolean => copy.number > 0 && copy.sequence > copy.baseSequence && !numbers.includes(copy.number);

/** An id that no other branch has. */
export const drawBranch = (random: () => number): string =>
  `b${Array.from({ length: 2 }, () =>
    Math.floor(random() * 36 ** 6)
      .toString(36)
      .padStart(6, '0'),
  ).join('')}`;

export const branchPattern = /^b[a-z0-9]{1,62}$/;

/** A character that no agent's name has. */
const mark = '~';

/** What a branch's copy, its instance and what runs it go by, in the place of the agent's name. */
export const branchKey = (agent: string, branch: string): string => `${agent}${mark}${branch}`;

export const isBranchKey = (name: string): boolean => name.includes(mark);

/** The agent that is meant, by its own name or by a branch's. */
export const agentOfKey = (name: string): string => name.split(mark, 1)[0] ?? name;

const mergePrefix = '~b:';
/** The task by which an agent takes a branch in: the same however often that is tried. */
export const mergeTaskOf = (branch: string, number: number): string => `${mergePrefix}${branch}-${number}`;
export const isMergeTask = (task: string): boolean => task.startsWith(mergePrefix);

export const isOpen = ({ end }: BranchEntry): boolean => end === undefined;
export const isFork = ({ end }: BranchEntry): boolean => end?.outcome === 'forked';

/** The active epochs of an agent that are remembered once another one is. */
export function lineageAfter(lineage: readonly Descent[], next: Descent): readonly Descent[] {
  return [...lineage, next].slice(-limits.lineageMax);
}

/**
 * Why a step is none that the majority's history passed through; undefined when it is one. An epoch that never became
 * active took no step of its own, so what one began with, the one before had, too. `sequence`: where the active epoch is.
 */
export function whyNoAncestor(lineage: readonly Descent[], base: StepName, sequence: number): string | undefined {
  const next = lineage.find(({ epoch }) => epoch > base.epoch);
  if (next === undefined) {
    return base.sequence <= sequence ? undefined : `the majority has no step ${base.sequence} of epoch ${base.epoch}`;
  }
  const oldest = lineage[0]?.epoch ?? 0;
  if (next.from === undefined || (base.epoch < oldest && next.epoch === oldest && next.from.epoch !== base.epoch)) {
    return `what became of epoch ${base.epoch} is not remembered`;
  }
  if (base.sequence <= next.from.sequence) return undefined;
  return `the majority left epoch ${base.epoch} at step ${next.from.sequence}, before step ${base.sequence}`;
}
