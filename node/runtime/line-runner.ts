import { progressBytesMax, progressPerSMax } from '../core/agent-code.ts';
import { reasonBytes } from '../core/text.ts';
import { noWayBack, type Versions } from '../core/version-change.ts';
import type { LineChannel, LineChannelEvents } from './line-channel.ts';
import type { LineLimits } from './line-limits.ts';
import type { Runner, RunnerEvents, RunOptions } from './ports.ts';
import {
  type Answer,
  cancelLine,
  changeLine,
  type Description,
  describeLine,
  handleLine,
  mergeLine,
  type Progress,
  pingLine,
  readDescription,
  readOutputs,
  readResult,
  readSaid,
  readState,
  type StateForm,
  startLine,
} from './process-protocol.ts';
import { RateLimit } from './rate-limit.ts';
import { newInstance, type RunnerInstance, RunnerInstances } from './runner-instances.ts';

type Asked = 'describe' | 'start' | 'describeNewer' | 'giveBack' | 'handle' | 'goBack' | 'ping';
export type StartOrder = Parameters<Runner['start']>[0];

export interface LineInstance<C extends LineChannel> extends RunnerInstance {
  readonly agentType: string;
  readonly channel: C | undefined;
}

interface Instance<C extends LineChannel> extends LineInstance<C> {
  channel: C | undefined;
  form: StateForm;
  /** It can take in branches. */
  merges: boolean;
  /** It takes the epoch that comes with each task for its own. */
  epochs: boolean;
  /** What its code is told of itself. */
  told: { agent: string; epoch: number };
  /** Of the state that it is started from, until it has started. */
  change: Versions | undefined;
  /** Before the reason why its start failed. */
  prefix: string;
  /** The last checkpoint; none before the first. */
  state: Uint8Array | undefined;
  /** The last question, and what it was while there is no answer. */
  asked: number;
  pending: Asked | undefined;
  /** What it is to run once the newer version has given the state back. */
  order: StartOrder | undefined;
  /** Why the running task is refused, while the state before it is being restored. */
  refusal: string;
  restMs: number;
  progressRate: RateLimit;
  floodRate: RateLimit;
}

export interface LineRunnerInit<C extends LineChannel> {
  limits: LineLimits;
  events: RunnerEvents;
  /** Throws when there is nothing that the agent can run in. */
  open(order: StartOrder, events: LineChannelEvents): C;
  /** Before its instances are asked whether they still answer: what else is to be seen to now and then. Never rejects. */
  look?(): Promise<void>;
  /** A task is about to run. */
  begins?(instance: LineInstance<C>): void;
  /** When all have ended. Never rejects. */
  close?(): Promise<void>;
}

const takesNoEpoch = 'its epoch has changed, which its program is told only when it starts';
const lookIntervalMs = 250;
/** What tasks tell is dropped in silence above the limit; who says more than this is ended. */
const floodPerSMax = 5_000;

/** Runs agents that speak JSON-RPC in lines: what they run in opens channels for them, all else is here. */
export class LineRunner<C extends LineChannel> implements Runner {
  readonly #init: LineRunnerInit<C>;
  readonly #instances: RunnerInstances<Instance<C>>;
  readonly #ending = new Set<Promise<void>>();
  #lookTimer: NodeJS.Timeout | undefined;
  #looking = false;
  #stopped = false;

  constructor(init: LineRunnerInit<C>) {
    this.#init = init;
    this.#instances = new RunnerInstances({
      tasksWaitingMax: init.limits.tasksWaitingMax,
      release: (instance, why) => this.#release(instance, why),
      failed: init.events.failed,
      returned: init.events.returned,
    });
  }

  get all(): readonly LineInstance<C>[] {
    return this.#instances.all;
  }

  start(order: StartOrder): void {
    if (this.#stopped) return;
    const { agent, agentType, epoch, state, told, change } = order;
    this.stop(agent, epoch);
    const instance: Instance<C> = {
      ...newInstance(agent, epoch),
      ...{ agentType, told: told ?? { agent, epoch }, state, change, prefix: '', channel: undefined },
      ...{ form: 'json' as const, merges: false, epochs: false, asked: 0, pending: undefined },
      ...{ order: undefined, refusal: '', restMs: 0 },
      ...{ progressRate: new RateLimit(progressPerSMax), floodRate: new RateLimit(floodPerSMax) },
    };
    this.#instances.add(instance);
    const newer = state === undefined ? undefined : change?.newer;
    if (newer === undefined && change !== undefined && change.to < change.from) {
      this.#instances.failSoon(instance, `${noWayBack}: version ${change.from} is not kept any more`);
      return;
    }
    if (newer === undefined) this.#open(instance, order, 'describe');
    else {
      instance.order = order;
      this.#open(instance, { ...order, interpreter: undefined, container: undefined, ...newer }, 'describeNewer');
    }
    this.#lookTimer ??= setInterval(() => void this.#look(), lookIntervalMs).unref();
  }

  #open(instance: Instance<C>, order: StartOrder, asked: 'describe' | 'describeNewer'): void {
    const { channel: before } = instance;
    instance.channel = undefined;
    if (before !== undefined) this.#end(before, 'asked');
    try {
      const channel: C = this.#init.open(order, {
        line: (line) => instance.channel === channel && this.#onLine(instance, line),
        broken: (reason) => instance.channel === channel && this.#instances.fail(instance, instance.prefix + reason),
      });
      instance.channel = channel;
    } catch (error) {
      this.#instances.failSoon(instance, `it cannot be started: ${(error as Error).message}`);
      return;
    }
    this.#ask(instance, asked, describeLine);
    this.#instances.expectWithin(instance, this.#init.limits.startTimeoutMs, 'it did not start');
  }

  run(agent: string, epoch: number, task: string, payload: Uint8Array, how: RunOptions = {}): void {
    const instance = this.#instances.queue(agent, epoch, { task, payload, ...how });
    if (instance !== undefined) this.#runNext(instance);
  }

  recall(agent: string, epoch: number): void {
    this.#instances.recall(agent, epoch);
  }

  cancel(agent: string, epoch: number, task: string): void {
    const instance = this.#instances.get(agent, epoch);
    if (instance === undefined || this.#instances.cancelWaiting(instance, task)) return;
    if (instance.running === task && instance.pending === 'handle') instance.channel?.say(cancelLine(task));
  }

  /** Ends an instance with a reason; nothing when it has ended. */
  fail(instance: LineInstance<C>, reason: string): void {
    this.#instances.fail(instance as Instance<C>, reason);
  }

  /** There is nothing to make ready: what it runs in is told its agent when it begins. */
  prepare({ agent, migration }: Parameters<Runner['prepare']>[0]): void {
    setImmediate(() => this.#init.events.prepared(agent, migration, ''));
  }

  release(): void {}

  stop(agent: string, epoch: number): void {
    this.#instances.stop(agent, epoch);
  }

  renew(agent: string, from: number, epoch: number): void {
    const instance = this.#instances.renew(agent, from, epoch);
    if (instance !== undefined) instance.told = { ...instance.told, epoch };
    if (instance?.epochs === false) this.#instances.failSoon(instance, takesNoEpoch, true);
  }

  async stopAll(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#lookTimer);
    this.#instances.stopAll();
    await Promise.all(this.#ending);
    await this.#init.close?.();
  }

  #ask(instance: Instance<C>, what: Asked, line: (id: number) => string): void {
    const text = line(instance.asked + 1);
    instance.asked += 1;
    instance.pending = what;
    instance.channel?.say(text);
  }

  #runNext(instance: Instance<C>): void {
    const next = instance.pending === undefined ? this.#instances.next(instance) : undefined;
    if (next === undefined) return;
    this.#init.begins?.(instance);
    if (next.merges === true && !instance.merges) {
      setImmediate(() => this.#finish(instance, false, reasonBytes('its code has no merge function')));
      return;
    }
    try {
      const { task, payload, merges } = next;
      const { form, told } = instance;
      this.#ask(instance, 'handle', (id) =>
        merges === true ? mergeLine(id, task, told.epoch, form, payload) : handleLine(id, task, told.epoch, payload),
      );
    } catch (error) {
      setImmediate(() =>
        this.#finish(instance, false, reasonBytes(`the task is not JSON: ${(error as Error).message}`)),
      );
      return;
    }
    if (next.isCancelled === true) instance.channel?.say(cancelLine(next.task));
    this.#instances.expectTask(instance, next, this.#init.limits, () =>
      this.cancel(instance.agent, instance.epoch, next.task),
    );
  }

  /** What comes from the channel is an agent's to say, so its form is checked: an agent must not fail the node. */
  #onLine(instance: Instance<C>, line: string): void {
    const said = readSaid(line);
    if (said?.kind === 'progress') return this.#onProgress(instance, said);
    const { pending } = instance;
    if (said === undefined || pending === undefined || said.id !== instance.asked) {
      this.#instances.fail(instance, `it said what nobody asked for: ${line.slice(0, 100)}`);
      return;
    }
    instance.pending = undefined;
    try {
      this.#answers[pending](instance, said);
    } catch (error) {
      this.#instances.fail(instance, `what it said cannot be kept: ${(error as Error).message}`);
    }
  }

  /** What a task tells after its answer is late, no fault: it is dropped, as what is too large or too much. */
  #onProgress(instance: Instance<C>, { task, value }: Progress): void {
    const nowMs = performance.now();
    if (!instance.floodRate.passes(nowMs)) {
      this.#instances.fail(instance, `it told of its progress more than ${floodPerSMax} times within a second`);
      return;
    }
    if (value === undefined || value.byteLength > progressBytesMax) return;
    if (instance.running !== task || instance.pending !== 'handle' || !instance.progressRate.passes(nowMs)) return;
    this.#init.events.progress(instance.agent, instance.epoch, task, value);
  }

  readonly #answers: { [A in Asked]: (instance: Instance<C>, answer: Answer) => void } = {
    describe: (instance, answer) => {
      const described = this.#described(instance, answer);
      if (described === undefined) return;
      Object.assign(instance, { form: described.form, merges: described.merge, epochs: described.epochs });
      const { change } = instance;
      instance.change = described.migrate ? change : undefined;
      this.#restore(instance, 'start');
    },
    describeNewer: (instance, answer) => {
      const described = this.#described(instance, answer);
      const { state, change, order } = instance;
      if (described === undefined || state === undefined || change === undefined || order === undefined) return;
      instance.change = undefined;
      instance.prefix = `${noWayBack}: `;
      if (!described.rollback) return this.#open(instance, order, 'describe');
      instance.form = described.form;
      this.#change(instance, 'giveBack', 'rollback', state, change);
    },
    giveBack: (instance, answer) => {
      const state = answer.ok ? readState(instance.form, answer.result) : undefined;
      if (state === undefined || instance.order === undefined) {
        const why = answer.ok ? `the answer has no state as ${instance.form}` : answer.message;
        return this.#instances.fail(instance, instance.prefix + why);
      }
      instance.state = state;
      this.#open(instance, instance.order, 'describe');
    },
    start: (instance, answer) => {
      const verb = instance.change === undefined ? 'restored' : 'migrated';
      const step = instance.state === undefined ? 'init failed' : `${instance.prefix}its state cannot be ${verb}`;
      if (!answer.ok) return this.#instances.fail(instance, `${step}: ${answer.message}`);
      const state = readState(instance.form, answer.result);
      if (state === undefined)
        return this.#instances.fail(instance, `${step}: the answer has no state as ${instance.form}`);
      clearTimeout(instance.timer);
      instance.state = state;
      instance.change = undefined;
      instance.started = true;
      this.#init.events.started(instance.agent, instance.epoch, state);
      this.#runNext(instance);
    },
    handle: (instance, answer) => {
      const state = answer.ok ? readState(instance.form, answer.result) : undefined;
      if (answer.ok && state !== undefined) {
        instance.state = state;
        this.#finish(instance, true, readResult(answer.result), readOutputs(answer.result));
        return;
      }
      // The task may have changed half of the state before it was refused.
      instance.refusal = answer.ok ? `the answer has no state as ${instance.form}` : answer.message;
      this.#restore(instance, 'goBack');
    },
    goBack: (instance, answer) => {
      if (answer.ok) return this.#finish(instance, false, reasonBytes(instance.refusal));
      this.#instances.fail(instance, `the state before a refused task cannot be restored: ${answer.message}`);
    },
    ping: (instance) => {
      clearTimeout(instance.timer);
      this.#runNext(instance);
    },
  };

  #described(instance: Instance<C>, answer: Answer): Description | undefined {
    const described = answer.ok ? readDescription(answer.result) : undefined;
    if (described === undefined) {
      this.#instances.fail(instance, 'it does not describe itself as this protocol asks for');
    }
    return described;
  }

  #change(
    instance: Instance<C>,
    asked: Asked,
    method: 'migrate' | 'rollback',
    state: Uint8Array,
    change: Versions,
  ): void {
    const { agent, agentType: type, epoch, form } = instance;
    try {
      this.#ask(instance, asked, (id) => changeLine(id, method, { agent, type, epoch }, form, state, change));
    } catch (error) {
      this.#instances.fail(instance, `${instance.prefix}its state cannot be changed: ${(error as Error).message}`);
    }
  }

  #restore(instance: Instance<C>, what: 'start' | 'goBack'): void {
    const { agentType: type, told, form, state, change } = instance;
    if (what === 'start' && state !== undefined && change !== undefined) {
      return this.#change(instance, what, 'migrate', state, change);
    }
    try {
      this.#ask(instance, what, (id) => startLine(id, { agent: told.agent, type, epoch: told.epoch }, form, state));
    } catch (error) {
      this.#instances.fail(instance, `its state cannot be restored: ${(error as Error).message}`);
    }
  }

  #finish(instance: Instance<C>, ok: boolean, value: Uint8Array, outputs?: Uint8Array): void {
    const { agent, epoch, running, state } = instance;
    if (!this.#instances.has(instance) || running === undefined || state === undefined) return;
    clearTimeout(instance.timer);
    instance.running = undefined;
    instance.restMs = 0;
    this.#init.events.ran(agent, epoch, running, ok, value, state, outputs);
    this.#runNext(instance);
  }

  #release({ channel }: Instance<C>, why: 'asked' | 'failed'): void {
    if (channel !== undefined) this.#end(channel, why === 'asked' ? 'asked' : 'killed');
  }

  #end(channel: C, how: 'asked' | 'killed'): void {
    const ended = channel.end(how);
    this.#ending.add(ended);
    void ended.then(() => this.#ending.delete(ended));
  }

  async #look(): Promise<void> {
    if (this.#looking || this.#instances.all.length === 0) return;
    this.#looking = true;
    try {
      await this.#init.look?.();
      for (const instance of this.#instances.all) this.#ping(instance);
    } finally {
      this.#looking = false;
    }
  }

  #ping(instance: Instance<C>): void {
    if (!instance.started || instance.running !== undefined || instance.pending !== undefined) return;
    instance.restMs += lookIntervalMs;
    if (instance.restMs < this.#init.limits.pingIntervalMs) return;
    instance.restMs = 0;
    this.#ask(instance, 'ping', pingLine);
    this.#instances.expectWithin(instance, this.#init.limits.pingTimeoutMs, 'at rest it did not answer');
  }
}
