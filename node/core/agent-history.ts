import { AgentState, type StepChanges } from './agent-state.ts';
import type { Step } from './agent-task-events.ts';
import type { StepName } from './branch.ts';
import type { TaskResult } from './message.ts';
import type { Found } from './recovery.ts';
import type { Source } from './replication.ts';
import type { ResultTable } from './result-table.ts';
import type { Settings } from './settings.ts';
import { StateTrail } from './state-trail.ts';

/** Of so many of the latest steps it is known what state they led to. */
const sumsMax = 1_024;

/** The results that are remembered beside the state, and from which step on. */
export interface Remembered {
  readonly results: ResultTable;
  readonly resultsFrom: number;
}

/** What an agent that runs here has come to: its steps, the state after each, and the tasks' results beside them. */
export class AgentHistory implements Source {
  readonly state: AgentState;
  readonly #remembered: Remembered;
  /** Of an autonomous agent: where a branch of it could begin. */
  readonly #trail: StateTrail | undefined;
  /** Checksums of the states after the latest steps. */
  readonly #sums = new Map<number, number>();
  #sequence = 0;
  /** The step of an earlier epoch that this one went on from. */
  #from: StepName | undefined;

  constructor(settings: Settings, remembered: Remembered, isAutonomous: boolean) {
    this.state = new AgentState(settings);
    this.#remembered = remembered;
    if (isAutonomous) this.#trail = new StateTrail();
  }

  get sequence(): number {
    return this.#sequence;
  }

  get from(): StepName | undefined {
    return this.#from;
  }

  /** Begins with the first state of a new agent. */
  begin(own: Uint8Array, version: number | undefined): void {
    this.state.begin(own, version);
    this.#sums.clear();
    this.#note();
    this.#trail?.begin({ sequence: 0, state: this.state.all });
  }

  /** Goes on from a step of an earlier epoch. Throws when its state cannot be read. */
  goOnFrom({ epoch, sequence, state }: Found): void {
    this.#sequence = sequence;
    this.#from = { epoch, sequence };
    this.state.takeOver(state, sequence);
    this.#sums.clear();
    this.#note();
    this.#trail?.begin({ sequence, state: this.state.all });
  }

  /** Goes on in another epoch from its newest step, which was taken in that one. */
  goOn(epoch: number): void {
    this.#from = { epoch, sequence: this.#sequence };
    this.#trail?.begin({ sequence: this.#sequence, state: this.state.all });
  }

  #note(): void {
    this.#sums.set(this.#sequence, this.state.all.checksum);
    this.#sums.delete(this.#sequence - sumsMax);
  }

  /** The checksum of the state that a step led to; undefined where it is not remembered. */
  checksumAt(sequence: number): number | undefined {
    return this.#sums.get(sequence);
  }

  /** The next step. */
  add(step: Step, changes: StepChanges, durableSequence: number): TaskResult {
    this.#sequence += 1;
    this.state.apply(this.#sequence, changes);
    this.#note();
    const { results } = this.#remembered;
    const result = results.marked({ ...step, sequence: this.#sequence, valueDropped: false });
    results.add(result);
    this.#trail?.add({ sequence: this.#sequence, state: this.state.all }, durableSequence);
    return result;
  }

  /** What a branch can begin from: the newest step that is surely part of the agent's history. */
  base(epoch: number, durableSequence: number): Found | undefined {
    const step = this.#trail?.newestUpTo(durableSequence);
    const results = this.#remembered.results.all().filter(({ sequence }) => sequence <= (step?.sequence ?? 0));
    return step && { ...step, epoch, results };
  }

  // ---- what is to be copied ----

  newest(): ReturnType<Source['newest']> {
    return { sequence: this.#sequence, state: this.state.all };
  }

  all(): TaskResult[] {
    return this.#remembered.results.all();
  }

  resultsFrom(): number {
    return this.#remembered.resultsFrom;
  }

  after(sequence: number): ReturnType<Source['after']> {
    const results = sequence === this.#sequence ? [] : this.#remembered.results.after(sequence);
    const changes = this.state.changesAfter(sequence);
    return results && changes && { results, changes };
  }
}
