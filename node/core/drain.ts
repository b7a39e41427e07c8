import type { NodeId } from './message.ts';

/** A node that is to have nothing: no agent, no agent's state, no leadership, no vote that others need. */
export interface Drain {
  /** Log index of the decision that began it, or gave it another deadline. */
  since: number;
  /** It should have come to its end within this long, ms; undefined: it takes as long as it takes. */
  deadlineMs: number | undefined;
  /** An operator wants it: it stays when the node starts again. */
  asked: boolean;
  /** This start of the node was asked to stop: it leaves when the drain is done, or overdue. */
  stopping: boolean;
  /** What it waited for when its deadline passed; it goes on all the same. */
  overdue: string[] | undefined;
  /** Nothing is left that others need, or could take. */
  done: boolean;
}

/** The decisions about drains. */
export type DrainCommand =
  | {
      kind: 'drainBegin';
      node: NodeId;
      /** Of a start that was asked to stop. */
      boot: number | undefined;
      deadlineMs: number | undefined;
    }
  | { kind: 'drainUndo'; node: NodeId }
  | { kind: 'drainOverdue'; node: NodeId; since: number; waitsFor: string[] }
  | { kind: 'drainDone'; node: NodeId; since: number; kept: string[] };

/** How far a drain has come, for people and programs. */
export interface DrainView {
  stopping: boolean;
  deadlineMs: number | undefined;
  overdue: boolean;
  done: boolean;
  /** Agents that are still there, or on their way from there. */
  agents: number;
  /** Other agents whose state it keeps and others are to keep. */
  states: number;
  /** What it waits for and why, at most `waitsForMax`; none when nothing is left. */
  waitsFor: string[];
  /** What it keeps because others need it no more, and none could take it. */
  kept: string[];
}
