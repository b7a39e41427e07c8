import { describe, expect, test } from 'vitest';
import type { Assignment } from '../../node/core/assignment.ts';
import type { Context } from '../../node/core/context.ts';
import type { Effect, EffectOf } from '../../node/core/effect.ts';
import { Holder } from '../../node/core/holder.ts';
import { Instance } from '../../node/core/instance.ts';
import type { InstanceEvents } from '../../node/core/instance-events.ts';
import type { MessageOf, NodeId, Profile } from '../../node/core/message.ts';
import { Outbox } from '../../node/core/outbox.ts';
import { restore } from '../../node/core/restored.ts';
import { defaultSettings } from '../../node/core/settings.ts';
import { StateBytes } from '../../node/core/state-bytes.ts';
import { changeBetween } from '../../node/core/state-change.ts';
import { fromBytes, toBytes } from '../../node/core/text.ts';

const bytes = (value: unknown): Uint8Array => toBytes(JSON.stringify(value));

/** An instance on n1 with holders on other nodes, each a real one whose messages arrive when `settle` says so. */
class Stage {
  readonly answers: { task: string; value: string; refusal: string }[] = [];
  readonly copied: number[] = [];
  readonly given: string[] = [];
  /** Everything that n1 wanted of its host, in order. */
  readonly wanted: Effect[] = [];
  readonly #nodes = new Map<NodeId, { context: Context; holder: Holder }>();
  /** Holders that hear nothing. */
  readonly deaf = new Set<NodeId>();
  readonly instance: Instance;
  total = 0;

  constructor(readonly first: Assignment = assignment()) {
    const { context, holder } = this.node('n1');
    const events: InstanceEvents = {
      copied: (_agent, epoch) => void this.copied.push(epoch),
      relinquish: (_agent, _epoch, reason) => void this.given.push(reason),
      prepared: () => {},
      fares: () => {},
      answer: ({ task }, { value, refusal }) =>
        void this.answers.push({ task, value: fromBytes(value), refusal: refusal ?? '' }),
      progress: () => {},
      resolve: () => [],
      ask: () => {},
      mayAcknowledge: () => true,
    };
    this.instance = new Instance(context, holder, first, events);
  }

  node(id: NodeId) {
    let known = this.#nodes.get(id);
    if (known === undefined) {
      const of = { self: id, boot: 1, start: id, profile: {} as Profile, settings: defaultSettings };
      const context: Context = { ...of, out: new Outbox(), random: () => 0.5, nowMs: 0, wallMs: 0 };
      known = { context, holder: new Holder(context, restore(new Map()), () => false) };
      this.#nodes.set(id, known);
    }
    return known;
  }

  /** Lets disks write and messages arrive until nothing is on its way. */
  settle(): void {
    for (let isQuiet = false; !isQuiet; ) {
      isQuiet = true;
      for (const [id, { context }] of this.#nodes) {
        for (const effect of context.out.take()) {
          isQuiet = false;
          if (id === 'n1') this.wanted.push(effect);
          if (effect.type === 'persist') context.out.persisted(effect.id);
          if (effect.type === 'send' && !this.deaf.has(effect.to)) this.#deliver(id, effect);
        }
      }
    }
  }

  #deliver(from: NodeId, { to, message }: EffectOf<'send'>): void {
    const { holder, context } = this.node(to);
    const { instance } = this;
    const back = (answer: MessageOf<'replicated'>) =>
      context.out.sendUrgent(from, { type: 'replicated', body: answer });
    if (message.type === 'replicate') holder.replicate(message.body, back);
    if (message.type === 'seal') {
      const { agent, epoch, known } = message.body;
      holder.seal(agent, epoch, known, (sealed) => context.out.sendUrgent(from, { type: 'sealed', body: sealed }));
    }
    if (message.type === 'replicated') instance.onReplicated(from, message.body);
    if (message.type === 'sealed') instance.recovery?.onSealed(from, message.body);
  }

  /** The new agent answers, in its first epoch. */
  begin(): this {
    this.instance.begin();
    this.settle();
    this.instance.onStarted(bytes(0));
    this.settle();
    this.activate();
    return this;
  }

  activate(): void {
    const { epoch } = this.instance.assignment;
    if (!this.copied.includes(epoch)) throw new Error(`epoch ${epoch} is not copied`);
    this.instance.onActive();
    this.settle();
  }

  submit(task: string): void {
    const rest = { key: '', retry: '', progress: false, priority: 5, deadlineMs: 1e9, origin: 'n1' };
    this.instance.submit({ task, payload: bytes(1), ...rest });
    this.settle();
  }

  /** The code is done with a task. */
  run(task: string): void {
    const before = bytes(this.total);
    this.total += 1;
    const update = changeBetween(before, bytes(this.total));
    this.instance.onRan({ task, ok: true, value: bytes(this.total), update, outputs: undefined });
  }

  kinds(...types: Effect['type'][]): string[] {
    const of = this.wanted.filter(({ type }) => types.includes(type));
    return of.map((effect) => ('epoch' in effect ? `${effect.type} ${effect.epoch}` : effect.type));
  }

  /** What a holder keeps of the agent. */
  kept(id: NodeId) {
    const { epoch = 0, sequence = 0 } = this.node(id).holder.kept('a') ?? {};
    return { epoch, sequence };
  }
}

function assignment(of: Partial<Assignment> = {}): Assignment {
  const fixed = { agent: 'a', agentType: 't', source: 's', created: 1, planned: false };
  return { ...fixed, epoch: 3, holders: ['n1', 'n2', 'n3'], previousHolders: undefined, ...of };
}

const next = (of: Partial<Assignment> = {}): Assignment =>
  assignment({ epoch: 5, holders: ['n1', 'n2', 'n4'], previousHolders: ['n1', 'n2', 'n3'], ...of });

const runtime = ['startAgent', 'stopAgent', 'renewAgent', 'runTask'] as const;

describe('an agent whose holders change', () => {
  test('goes on in the new epoch with its code running, and its tasks begin in that', () => {
    const stage = new Stage().begin();
    stage.submit('t1');
    stage.run('t1');
    stage.settle();
    expect(stage.instance.changeHolders(next())).toBe(true);
    stage.submit('t2');
    expect(stage.answers.map(({ task }) => task)).toEqual(['t1']);
    stage.settle();
    stage.activate();
    expect(stage.kinds(...runtime)).toEqual(['startAgent 3', 'runTask 3', 'renewAgent 5', 'runTask 5']);
    stage.run('t2');
    stage.settle();
    expect(stage.answers.map(({ task, value }) => `${task} ${value}`)).toEqual(['t1 1', 't2 2']);
    expect(stage.kept('n4')).toEqual({ epoch: 5, sequence: 2 });
    stage.instance.end();
    stage.settle();
    expect(stage.kinds('stopAgent')).toEqual(['stopAgent 5']);
  });

  test('sends a holder that stays only what it lacks', () => {
    const stage = new Stage().begin();
    stage.submit('t1');
    stage.run('t1');
    stage.settle();
    stage.deaf.add('n2');
    stage.submit('t2');
    stage.run('t2');
    stage.settle();
    stage.deaf.delete('n2');
    stage.instance.changeHolders(next());
    stage.settle();
    const sent = stage.wanted.flatMap((effect) =>
      effect.type === 'send' && effect.message.type === 'replicate' && effect.message.body.epoch === 5
        ? [`${effect.to} ${effect.message.body.full ? 'all' : `since ${effect.message.body.previousSequence}`}`]
        : [],
    );
    expect(sent).toContain('n2 since 1');
    expect(sent.at(-1)).toBe('n4 all');
  });

  test('keeps the task that it is at, whose result is one of the new epoch', () => {
    const stage = new Stage().begin();
    stage.submit('t1');
    stage.instance.changeHolders(next());
    stage.settle();
    stage.activate();
    expect(stage.answers).toEqual([]);
    expect(stage.instance.runner.isOf(3)).toBe(true);
    stage.run('t1');
    stage.settle();
    expect(stage.answers).toEqual([{ task: 't1', value: '1', refusal: '' }]);
    expect(stage.kinds('runTask')).toEqual(['runTask 3']);
    expect(stage.kept('n2')).toEqual({ epoch: 5, sequence: 1 });
  });

  test('acknowledges what ended between the seal and the new epoch only when that is active', () => {
    const stage = new Stage().begin();
    stage.submit('t1');
    stage.deaf.add('n2').add('n3');
    stage.instance.changeHolders(next());
    stage.settle();
    stage.run('t1');
    stage.settle();
    expect(stage.kept('n1')).toEqual({ epoch: 3, sequence: 0 });
    stage.deaf.clear();
    stage.node('n1').context.nowMs += defaultSettings.holderRetryMs;
    stage.instance.tick();
    stage.settle();
    expect(stage.kept('n4')).toEqual({ epoch: 5, sequence: 1 });
    expect(stage.answers).toEqual([]);
    stage.activate();
    expect(stage.answers).toEqual([{ task: 't1', value: '1', refusal: '' }]);
  });

  test('is heard no more by holders of the older epoch, nor hears them', () => {
    const stage = new Stage().begin();
    stage.submit('t1');
    stage.submit('t2');
    // Its own disk and the others answer to the first when the next epoch has begun, and the second is still to be sent.
    stage.run('t1');
    stage.run('t2');
    stage.instance.changeHolders(next());
    stage.settle();
    stage.activate();
    expect(stage.instance.hasEnded).toBe(false);
    expect(stage.answers.map(({ task, value }) => `${task} ${value}`)).toEqual(['t1 1', 't2 2']);
  });

  test('that change again before that is over goes on from the newest', () => {
    const stage = new Stage().begin();
    stage.submit('t1');
    stage.instance.changeHolders(next());
    expect(stage.instance.changeHolders(next({ epoch: 6, holders: ['n1', 'n4', 'n5'] }))).toBe(true);
    stage.settle();
    expect(stage.instance.changeHolders(next({ epoch: 8, holders: ['n1', 'n3', 'n5'] }))).toBe(true);
    stage.run('t1');
    stage.settle();
    stage.activate();
    expect(stage.kinds(...runtime)).toEqual(['startAgent 3', 'runTask 3', 'renewAgent 6', 'renewAgent 8']);
    expect(stage.copied).not.toContain(5);
    expect(stage.answers).toEqual([{ task: 't1', value: '1', refusal: '' }]);
  });

  test('is started anew from what they have where a later epoch wrote elsewhere', () => {
    const stage = new Stage().begin();
    stage.submit('t1');
    // n3 was its host in epoch 4, of which this node heard nothing.
    for (const id of ['n2', 'n3']) {
      const state = stage.node(id).holder.kept('a')?.state.bytes() ?? new Uint8Array(0);
      const checksum = stage.node(id).holder.kept('a')?.state.checksum ?? 0;
      const result = { task: 't1', ok: true, value: bytes(1), sequence: 1, valueDropped: false };
      const step = { agent: 'a', epoch: 4, sequence: 1, previousEpoch: 0, previousSequence: 0, full: true };
      const body = { ...step, state, changes: [], results: [result], checksum, resultsFrom: 0 };
      stage.node(id).holder.replicate(body, () => {});
    }
    stage.settle();
    expect(stage.instance.changeHolders(next())).toBe(true);
    stage.submit('t2');
    stage.settle();
    expect(stage.kinds(...runtime)).toEqual(['startAgent 3', 'runTask 3', 'stopAgent 3', 'startAgent 5']);
    // What ran before is heard of no more.
    expect(stage.instance.runner.isOf(3)).toBe(false);
    stage.instance.onStarted(bytes(0));
    stage.settle();
    stage.activate();
    // It was done in epoch 4, and is not done again.
    expect(stage.answers).toEqual([{ task: 't1', value: '1', refusal: '' }]);
  });

  test('is started anew where a holder keeps another state of the very step, or one that this host never took', () => {
    for (const sequence of [1, 7]) {
      const stage = new Stage().begin();
      stage.submit('t1');
      stage.run('t1');
      stage.settle();
      stage.submit('t2');
      stage.run('t2');
      stage.deaf.add('n2').add('n3');
      stage.settle();
      const state = toBytes(`another${fromBytes(stage.node('n3').holder.kept('a')?.state.bytes() ?? bytes(0))}`);
      // Behind the back of its host: the same epoch, another history.
      const wrong = new Holder(stage.node('n3').context, restore(new Map()), () => false);
      Object.assign(stage.node('n3'), { holder: wrong });
      const step = { agent: 'a', epoch: 3, sequence, previousEpoch: 0, previousSequence: 0, full: true };
      const { checksum } = StateBytes.of(state, 1_000);
      wrong.replicate({ ...step, state, changes: [], results: [], checksum, resultsFrom: 0 }, () => {});
      stage.settle();
      stage.deaf.clear();
      stage.deaf.add('n2');
      stage.instance.changeHolders(next());
      stage.settle();
      expect(stage.kinds('renewAgent')).toEqual([]);
      expect(stage.kinds('startAgent').at(-1)).toBe('startAgent 5');
    }
  });

  test('is started anew where its code ends before the holders are sealed, and the task is tried again', () => {
    const stage = new Stage().begin();
    stage.submit('t1');
    stage.instance.changeHolders(next());
    stage.instance.onFailed('it crashed');
    expect(stage.kinds('startAgent')).toEqual(['startAgent 3']);
    stage.settle();
    expect(stage.kinds(...runtime)).toEqual(['startAgent 3', 'runTask 3', 'startAgent 5']);
    stage.instance.onStarted(bytes(0));
    stage.settle();
    stage.activate();
    expect(stage.kinds('runTask')).toEqual(['runTask 3', 'runTask 5']);
    stage.run('t1');
    stage.settle();
    expect(stage.answers).toEqual([{ task: 't1', value: '1', refusal: '' }]);
  });

  test('leaves the beginning to another instance where what runs cannot go on', () => {
    const other = next({ version: 2 });
    expect(new Stage().begin().instance.changeHolders(other)).toBe(false);
    expect(new Stage().begin().instance.changeHolders(next({ source: 'other' }))).toBe(false);
    expect(new Stage().begin().instance.changeHolders(next({ created: 4 }))).toBe(false);
    const starting = new Stage();
    starting.instance.begin();
    expect(starting.instance.changeHolders(next())).toBe(false);
    const failed = new Stage().begin();
    failed.instance.onFailed('it crashed');
    expect(failed.instance.changeHolders(next())).toBe(false);
    const suspended = new Stage().begin();
    suspended.instance.suspend();
    expect(suspended.instance.changeHolders(next())).toBe(false);
  });
});
