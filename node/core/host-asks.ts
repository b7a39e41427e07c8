import type { Cancelled } from './agent-task-events.ts';
import type { Autonomy } from './autonomy.ts';
import type { Decisions } from './decisions.ts';
import type { Doors, Heard } from './doors.ts';
import { type ConclaveError, errors, toErrorBody } from './errors.ts';
import type { Hosting } from './hosting.ts';
import type { Instance } from './instance.ts';
import { nameOf } from './member-name.ts';
import type { NodeId } from './message.ts';
import type { AgentTasksView, Operation, Outcome } from './operation.ts';
import { limits } from './settings.ts';
import { type StateRead, tellState } from './state-reads.ts';

type Done = (outcome: Outcome) => void;
export type HostAsk = Extract<Operation, { type: 'state' | 'tasks' | 'taskCancel' }>;

interface HostAsksInit {
  hosting: Pick<Hosting, 'get'>;
  autonomy: Pick<Autonomy, 'instance'>;
  decisions: Pick<Decisions, 'state'>;
}

/** What users ask that the agent's host alone can do: read its state, look at its tasks, cancel one. */
export class HostAsks {
  readonly #hosting: Pick<Hosting, 'get'>;
  readonly #autonomy: Pick<Autonomy, 'instance'>;
  readonly #decisions: Pick<Decisions, 'state'>;
  readonly #doors: Doors;

  constructor({ hosting, autonomy, decisions }: HostAsksInit, doors: Doors) {
    this.#hosting = hosting;
    this.#autonomy = autonomy;
    this.#decisions = decisions;
    this.#doors = doors;
  }

  ask(operation: HostAsk, done: Done): void {
    const { agent } = operation;
    const instance = this.#instance(agent);
    if (instance === undefined) return done(refusal(errors.agentNotReady({ agent })));
    if (operation.type === 'tasks') this.#list(agent, done);
    else if (operation.type === 'taskCancel') this.#cancel(instance, operation, done);
    else {
      const { id = '', base } = instance.assignment.branch ?? {};
      const provisional = base && { epoch: base.epoch, provisional: true as const, branch: id };
      const began = instance.read((read: StateRead) => done(tellState(agent, read, provisional)));
      if (!began) done(refusal(errors.agentNotReady({ agent })));
    }
  }

  #instance(agent: string): Instance | undefined {
    return this.#autonomy.instance(agent) ?? this.#hosting.get(agent);
  }

  #list(agent: string, done: Done): void {
    this.#doors.ask(agent, '', (heard) => {
      // Looked at after the doors: what left one of them meanwhile has come here.
      const view = this.#instance(agent)?.tasks();
      if (view === undefined) done(refusal(errors.agentNotReady({ agent })));
      else done({ ok: true, result: { agent, ...this.#withDoors(view, heard) } });
    });
  }

  #cancel(instance: Instance, { agent, task }: Extract<HostAsk, { type: 'taskCancel' }>, done: Done): void {
    const answer = (was: Cancelled): void =>
      done(was.ok ? { ok: true, result: { agent, task, was: was.was } } : refusal(was.error));
    const began = instance.cancel(task, (was) => {
      if (!was.ok && was.error.code === 'taskUnknown') this.#cancelAtDoors(agent, task, answer);
      // Whether an earlier try ended it where it waits nobody knows.
      else if (was.ok && was.was === 'cancelled') this.#endAtDoors({ agent, task, was }, undefined, answer);
      else answer(was);
    });
    if (!began) done(refusal(errors.agentNotReady({ agent })));
  }

  /** It is made known as cancelled here, before it comes. */
  #cancelAtDoors(agent: string, task: string, answer: (was: Cancelled) => void): void {
    this.#doors.ask(agent, task, ({ told, silent }) => {
      const doors = told.map(({ door }) => door);
      const ended = (was: Cancelled): void => {
        if (was.ok) this.#endAtDoors({ agent, task, was }, doors, answer);
        else answer(was);
      };
      const notReady = errors.agentNotReady({ agent });
      // It may wait with one that did not say so.
      if (told.length === 0) answer({ ok: false, error: silent > 0 ? notReady : errors.taskUnknown({ agent, task }) });
      else if (this.#instance(agent)?.cancel(task, ended, true) !== true) answer({ ok: false, error: notReady });
    });
  }

  /** It is cancelled for good when it waits nowhere any more: this agent's host will forget it. Else the same is to be asked again. */
  #endAtDoors(
    { agent, task, was }: { agent: string; task: string; was: Cancelled },
    doors: readonly NodeId[] | undefined,
    answer: (was: Cancelled) => void,
  ): void {
    this.#doors.end(agent, task, doors, ({ silent }) =>
      answer(silent === 0 ? was : { ok: false, error: errors.agentNotReady({ agent }) }),
    );
  }

  /** What waits at the host, with what waits at doors behind it. */
  #withDoors(view: AgentTasksView, { told, silent }: Heard): AgentTasksView {
    const { state } = this.#decisions;
    const here = new Set([...view.first.map(({ task }) => task), view.running?.task]);
    const behind = told.flatMap(({ door, first }) => {
      const at = { door, doorName: nameOf(state, door) };
      return first.flatMap(({ task, priority, key }) => (here.has(task) ? [] : [{ task, priority, key, ...at }]));
    });
    const twice = told.flatMap(({ first }) => first).filter(({ task }) => here.has(task)).length;
    return {
      ...view,
      waiting: view.waiting - twice + told.reduce((sum, { waiting }) => sum + waiting, 0),
      first: [...view.first, ...behind].slice(0, limits.tasksListedMax),
      silent,
    };
  }
}

const refusal = (error: ConclaveError): Outcome => ({ ok: false, error: toErrorBody(error) });
