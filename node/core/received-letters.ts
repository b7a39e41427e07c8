import type { Step } from './agent-task-events.ts';
import type { AgentTasks } from './agent-tasks.ts';

/** What an agent keeps for the sake of those who gave it tasks. */
export class ReceivedLetters {
  readonly #tasks: AgentTasks;
  readonly #record: (step: Step) => void;

  constructor(tasks: AgentTasks, record: (step: Step) => void) {
    this.#tasks = tasks;
    this.#record = record;
  }

  senders(): string[] {
    return this.#tasks.results.senders();
  }

  /** As a step of the agent's, so that all holders do. */
  forget(sender: string): void {
    this.#record({ task: '', ok: true, value: new Uint8Array(0), endedSender: sender });
  }
}
