import { formatWithOptions } from 'node:util';
import { Script } from 'node:vm';
import { AgentCode, progressPerSMax } from '../node/core/agent-code.ts';
import type { Answer, Program, ProgramContext, Running } from './program.ts';
import type { Outside } from './realm/outside.ts';
import { Realm } from './realm/realm.ts';

/** The global that an agent's bundle leaves its exports in. */
export const agentGlobalName = 'conclaveAgent';

export interface AgentModuleSettings {
  /**
   * Real time that one task, or a start, may take: a safety net against loops without an end. It costs a thread for
   * each task; 0 does without.
   */
  workMsMax: number;
  /** What agents print, a line at a time, such as `console.log` gives it. Dropped when omitted. */
  log: (agent: string, line: string) => void;
}

const workMsMax = 5_000;
const reasonLengthMax = 2_000;
const lineLengthMax = 2_000;
/** Lines that one instance may print. */
const linesMax = 1_000;

const waitsForever =
  'it waits for something that never comes: in the simulated world only the agent itself settles its promises, as ' +
  'there are no timers, no network and no files. Let the task bring what it waits for';

/**
 * A user's agent as a program of the simulated world, by the contract of production. `source` is its module bundled as
 * a script that leaves the exports in the global `conclaveAgent`; `name` is what stack traces call it. Every instance
 * has a realm of its own. A source that cannot be compiled fails at each start, as in production.
 */
export function agentModule(source: string, name: string, settings: Partial<AgentModuleSettings> = {}): Program {
  const compiled = compile(source, name);
  return { start: (context, state) => new ModuleInstance(compiled, context, state, settings) };
}

function compile(source: string, name: string): () => Script {
  try {
    const script = new Script(source, { filename: `${name}.js` });
    return () => script;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/** One instance: its realm, and the code in it. */
class ModuleInstance implements Running {
  readonly state: Uint8Array;
  readonly #realm: Realm;
  readonly #code: AgentCode;
  #answer: Answer | undefined;
  /** What the running task told. */
  #progress: Uint8Array[] = [];
  #lost: string | undefined;

  constructor(
    compiled: () => Script,
    context: ProgramContext,
    from: Uint8Array | undefined,
    settings: Partial<AgentModuleSettings>,
  ) {
    let first: Uint8Array | undefined;
    this.#realm = new Realm(outsideOf(context, settings.log), settings.workMsMax ?? workMsMax);
    this.#code = new AgentCode(this.#realm.surroundings, {
      started: (state) => {
        first = state;
      },
      ran: (ok, value, state, outputs) => {
        this.#answer = { ok, value, state, outputs, ...(this.#progress.length > 0 && { progress: this.#progress }) };
      },
      progress: (value) => {
        // The clock stands still in a task, so this second has all of it.
        if (this.#progress.length < progressPerSMax) this.#progress.push(value);
      },
      failed: (reason) => {
        this.#lost ??= reason;
      },
    });
    const { agent, type, epoch } = context;
    const told = this.#realm.surroundings.parse(JSON.stringify({ agent, type, epoch })) as object;
    const load = (): unknown => this.#realm.load(compiled(), agentGlobalName);
    const broken = this.#realm.do(() => this.#code.start(load, told, from));
    this.#lost ??= broken;
    if (this.#lost !== undefined || first === undefined) throw lost(this.#lost ?? `it does not start: ${waitsForever}`);
    this.state = first;
  }

  renew(epoch: number): void {
    this.#lost ??= this.#realm.do(() => this.#code.renew(epoch));
  }

  merge(payload: Uint8Array): Answer {
    return this.#do(() => this.#code.merge(payload));
  }

  handle(payload: Uint8Array, cancelled = false, task = ''): Answer {
    return this.#do(() => {
      this.#code.run(payload, task);
      if (cancelled) this.#code.cancel();
    });
  }

  #do(work: () => void): Answer {
    if (this.#lost !== undefined) throw lost(this.#lost);
    this.#answer = undefined;
    this.#progress = [];
    const broken = this.#realm.do(work);
    this.#lost ??= broken;
    // As in production, what breaks the instance beside a task that was answered is noticed after the answer.
    if (this.#answer !== undefined) return this.#answer;
    this.#lost ??= `it does not answer its task: ${waitsForever}`;
    throw lost(this.#lost);
  }
}

const lost = (reason: string): Error => new Error(reason.slice(0, reasonLengthMax));

function outsideOf(
  { agent, startedMs, wallMs, random }: ProgramContext,
  log: AgentModuleSettings['log'] | undefined,
): Outside {
  let lines = 0;
  return {
    startedMs: startedMs ?? wallMs(),
    wallMs: () => wallMs(),
    random: () => random(),
    print(values) {
      if (log === undefined || lines > linesMax) return;
      lines += 1;
      // The agent's own ways to show a value are left out: they would run its code.
      const text = formatWithOptions({ customInspect: false }, ...values);
      log(agent, lines > linesMax ? `(it printed more than ${linesMax} lines)` : text.slice(0, lineLengthMax));
    },
    encoder: new TextEncoder(),
    TextDecoder,
    URL,
    URLSearchParams,
    atob,
    btoa,
  };
}
