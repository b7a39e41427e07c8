import type { Scratch } from './scratch.ts';

/** What a figure may use while it is measured. */
export interface Bench {
  /** The built program as it was when the run began: a build meanwhile does not change what is measured. */
  distDirectory: string;
  dockerfile: string;
  scratch: Scratch;
  signal: AbortSignal;
  /** A line for people, on the error stream. */
  say(text: string): void;
}

export interface Measured {
  /** One value per repetition, in the figure's unit; empty where this machine cannot measure it. */
  values: number[];
  /** What the operating system, the network and the disk take for the same work, measured in the same run. */
  floor?: number;
  /** Median of another system at the same task, measured in the same run. */
  peer?: number;
  /** Printed behind the fields that every figure has. */
  extra?: Record<string, unknown>;
}

/** One number that `npm run bench` prints. */
export interface Figure {
  name: string;
  unit: 'ms' | 's' | 'MB' | 'x' | '1/s' | '1/h' | '1/GB';
  /** Of times and sizes less is better, and nothing is said. */
  better?: 'higher';
  measure(bench: Bench): Promise<Measured>;
}
