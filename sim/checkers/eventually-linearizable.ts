import type { AcceptedLosses, WentBack } from '../accepted-losses.ts';
import type { Command, CommandLog, CommandResult } from '../operators.ts';
import type { ClientInput, ClientLog, ClientOutput } from '../workload.ts';
import { type Checker, Violation } from './checker.ts';
import { counterModel, progressOf } from './counter-model.ts';
import { History, type HistoryLimits, type Judgement } from './history.ts';
import { type NamesOutput, namesModel } from './names-model.ts';

const limits: HistoryLimits = { operationsMax: 5_000, statesMax: 200_000 };

/**
 * What clients and operators were told has one explanation: all of it took effect one by one, each between question and
 * answer (Herlihy and Wing 1990). Agents are judged each alone, and so are names.
 */
export class Linearizable implements Checker {
  readonly name = 'eventually-linearizable';
  readonly #agents = new History(counterModel, limits);
  readonly #names = new History(namesModel, limits);
  readonly #nowMs: () => number;
  /** Keys whose verdict could not be found within the limits. */
  readonly undecided: string[] = [];

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Agents that may have been given something twice, as its sender did it in steps that were given up, and once more. */
  readonly #leftOut = new Set<string>();

  /** What operators gave up: answers from that are none. */
  losses: Pick<AcceptedLosses, 'isLost' | 'goesOnMs'> | undefined;

  /** An operator let an agent go on from an earlier state. */
  goBack(agent: string, to: WentBack | undefined): void {
    const counted = to?.counted ?? new Map<number, number>();
    const from = to && progressOf(to.state.total, counted);
    this.#agents.goBack(agent, from, (input) => input.type === 'task' && counted.has(input.serial));
  }

  /** Whether an answer may be from what an operator gave up. */
  #isVoid(id: number, output: ClientOutput): boolean {
    const { key: agent = '', operation } = this.#agents.waiting(id) ?? {};
    if (operation === undefined || this.losses === undefined) return false;
    const { input, calledMs } = operation;
    if (output.type === 'task')
      return input.type === 'task' && this.losses.isLost(agent, `task-${input.serial}`, output.total);
    return calledMs < this.losses.goesOnMs(agent);
  }

  readonly clients: ClientLog = {
    called: (agent, client, input: ClientInput, atMs) => this.#agents.called(agent, client, input, atMs),
    returned: (id, output: ClientOutput, atMs) =>
      this.#isVoid(id, output) ? this.#agents.unknown(id) : this.#agents.returned(id, output, atMs),
    unknown: (id) => this.#agents.unknown(id),
    leaveOut: (agent) => void this.#leftOut.add(agent),
  };

  readonly commands: CommandLog = {
    called: (name, command: Command) => this.#names.called(name, 'operator', command, this.#nowMs()),
    returned: (id, result) => {
      const output = outputOf(result);
      this.#names.returned(id, output, this.#nowMs());
    },
    unknown: (id) => this.#names.unknown(id),
  };

  finish(): void {
    for (const agent of this.#agents.keys) {
      if (!this.#leftOut.has(agent)) this.#judge(`tasks and reads of ${agent}`, this.#agents.check(agent));
    }
    for (const name of this.#names.keys) this.#judge(`commands about ${name}`, this.#names.check(name));
  }

  #judge(what: string, judgement: Judgement<unknown, unknown>): void {
    if (judgement.verdict === 'undecided') this.undecided.push(what);
    if (judgement.verdict === 'violation') {
      throw new Violation(this.name, `${what} cannot have happened one by one: ${judgement.evidence}`);
    }
  }
}

/** Operators ask until the outcome is known; what is no word about the name is a refusal. */
function outputOf(result: CommandResult): NamesOutput {
  return result === 'ok' || result === 'agentExists' || result === 'agentUnknown' ? result : 'refused';
}
