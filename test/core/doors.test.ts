import { describe, expect, test } from 'vitest';
import type { Context } from '../../node/core/context.ts';
import { Doors, type Heard } from '../../node/core/doors.ts';
import { errors } from '../../node/core/errors.ts';
import type { Message } from '../../node/core/message.ts';
import type { AgentTasksView, Operation, Outcome, TaskOperation } from '../../node/core/operation.ts';
import { decodeOperation } from '../../node/core/operation-codec.ts';
import { Requests } from '../../node/core/requests.ts';
import { defaultSettings } from '../../node/core/settings.ts';
import type { Asker } from '../../node/core/tasks.ts';

type Parts = ConstructorParameters<typeof Requests>[0];

/** Three doors, of which n1 is the agent's host; the test plays what the host does, and the network between them. */
class Cluster {
  readonly names = ['n1', 'n2', 'n3'];
  readonly requests = new Map<string, Requests>();
  readonly contexts: { nowMs: number }[] = [];
  readonly cut = new Set<string>();
  /** Messages that are lost. */
  isLost = (_message: Message): boolean => false;
  /** Nodes that nobody is connected to. */
  readonly away = new Set<string>();
  /** Tasks on their way to the host, which answers none by itself. */
  readonly given = new Map<string, Asker>();
  readonly recorded: string[] = [];
  view: AgentTasksView = { running: { task: 't1', forMs: 3 }, waiting: 0, first: [], setAside: [], meanTaskMs: 1 };
  #queue: { from: string; to: string; message: Message }[] = [];

  constructor() {
    const instance = {
      assignment: {},
      tasks: () => this.view,
      cancel: (task: string, done: (was: unknown) => void, waitsElsewhere = false) => {
        if (this.recorded.includes(task)) done({ ok: true, was: 'cancelled' });
        else if (waitsElsewhere) {
          this.recorded.push(task);
          done({ ok: true, was: 'waiting' });
        } else done({ ok: false, error: errors.taskUnknown({ agent: 'a', task }) });
        return true;
      },
    };
    for (const self of this.names) {
      const context = {
        self,
        start: `${self}-1`,
        boot: 1,
        nowMs: 0,
        settings: defaultSettings,
        out: this.#outOf(self),
      };
      this.contexts.push(context);
      const members = new Map(this.names.map((node) => [node, { profile: { name: `node-${node.slice(1)}` } }]));
      const isConnected = (node: string) => !this.away.has(self) && !this.away.has(node);
      const connected = () => this.names.filter((node) => node !== self && isConnected(node));
      const alive = () => this.names.map((node) => ({ node }));
      const parts = {
        context,
        decisions: {
          mayLead: () => self === 'n1',
          leader: 'n1',
          state: { agents: new Map([['a', { placement: { host: 'n1' } }]]), members, alive },
        },
        autonomy: { hostOf: () => undefined, instance: () => undefined },
        hosting: { get: () => (self === 'n1' ? instance : undefined) },
        peers: { isConnected, connected },
        tasks: {
          ask: (_request: string, { task }: TaskOperation, asker: Asker) => void this.given.set(task, asker),
        },
      };
      this.requests.set(self, new Requests(parts as unknown as Parts));
    }
  }

  #outOf(from: string) {
    const send = (to: string, message: Message): unknown => this.#queue.push({ from, to, message });
    return { send, sendUrgent: send, cluster: 'c' };
  }

  /** Everything arrives but what comes from, or goes to, a node that is cut off. */
  settle(): void {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const { from, to, message } = next;
      if (this.cut.has(from) || this.cut.has(to) || this.isLost(message)) continue;
      if (message.type === 'forward') this.requests.get(to)?.onForward(from, message.body);
      if (message.type === 'answer') this.requests.get(to)?.onAnswer(from, message.body);
    }
  }

  pass(ms: number): void {
    for (const context of this.contexts) context.nowMs += ms;
    for (const requests of this.requests.values()) requests.tick();
    this.settle();
  }

  /** Asks at a door; what comes out of it is there as soon as it is known. */
  ask(door: string, operation: Operation): Outcome[] {
    const outcomes: Outcome[] = [];
    this.requests.get(door)?.ask(operation, (outcome) => void outcomes.push(outcome));
    this.settle();
    return outcomes;
  }

  task(door: string, task: string, key = 'k'): Outcome[] {
    return this.ask(door, { type: 'task', agent: 'a', task, payload: new Uint8Array(), ttlMs: 60_000, key });
  }

  list(door: string): Outcome[] {
    return this.ask(door, { type: 'tasks', agent: 'a', ttlMs: 5_000 });
  }

  cancel(door: string, task: string): Outcome[] {
    return this.ask(door, { type: 'taskCancel', agent: 'a', task, ttlMs: 5_000 });
  }
}

const codeOf = (outcome: Outcome | undefined): unknown => (outcome?.ok === false ? outcome.error.code : outcome?.ok);

describe('a task that waits behind its key at the node that was asked', () => {
  test('is listed, whichever node is asked', () => {
    const cluster = new Cluster();
    for (const task of ['t1', 't2', 't3']) cluster.task('n2', task);
    cluster.task('n1', 'u1', 'other');
    cluster.task('n1', 'u2', 'other');
    expect([...cluster.given.keys()]).toEqual(['t1', 'u1']);
    for (const door of cluster.names) {
      const [outcome] = cluster.list(door);
      expect(outcome).toMatchObject({ ok: true, result: { waiting: 3, silent: 0, running: { task: 't1' } } });
      const { first } = (outcome as unknown as { result: AgentTasksView }).result;
      expect(first.map(({ task, key, doorName }) => [task, key, doorName])).toEqual([
        ['u2', 'other', 'node-1'],
        ['t2', 'k', 'node-2'],
        ['t3', 'k', 'node-2'],
      ]);
    }
  });

  test('is listed once when it has come to the host meanwhile', () => {
    const cluster = new Cluster();
    for (const task of ['t1', 't2', 't3']) cluster.task('n2', task);
    cluster.view = { ...cluster.view, waiting: 1, first: [{ task: 't2', priority: 5, key: 'k' }] };
    expect(cluster.list('n3')[0]).toMatchObject({ result: { waiting: 2, first: [{ task: 't2' }, { task: 't3' }] } });
  });

  test('of a node that does not answer is missed, and that is told', () => {
    const cluster = new Cluster();
    cluster.task('n2', 't1');
    cluster.task('n2', 't2');
    cluster.cut.add('n2');
    const outcomes = cluster.list('n1');
    cluster.pass(400);
    expect(outcomes).toEqual([]);
    cluster.pass(200);
    expect(outcomes[0]).toMatchObject({ ok: true, result: { waiting: 0, silent: 1 } });
  });

  test('is cancelled, whichever node is asked, and whoever waits for it is told at once', () => {
    for (const door of ['n1', 'n2', 'n3']) {
      const cluster = new Cluster();
      cluster.task('n2', 't1');
      const second = cluster.task('n2', 't2');
      const third = cluster.task('n2', 't3');
      expect(cluster.cancel(door, 't2')).toMatchObject([{ ok: true, result: { task: 't2', was: 'waiting' } }]);
      expect(cluster.recorded).toEqual(['t2']);
      expect(second.map(codeOf)).toEqual(['taskCancelled']);
      expect(third).toEqual([]);
      // Those behind it go on in their order.
      expect([...cluster.given.keys()]).toEqual(['t1']);
      cluster.given.get('t1')?.done({ ok: true, result: { agent: 'a', task: 't1', value: new Uint8Array() } });
      cluster.settle();
      expect([...cluster.given.keys()]).toEqual(['t1', 't3']);
    }
  });

  test('is not known when it is nowhere', () => {
    const cluster = new Cluster();
    cluster.task('n2', 't1');
    expect(cluster.cancel('n3', 't9').map(codeOf)).toEqual(['taskUnknown']);
    expect(cluster.recorded).toEqual([]);
  });

  test('is not called unknown while a node that may have it does not answer', () => {
    const cluster = new Cluster();
    const second = [cluster.task('n2', 't1'), cluster.task('n2', 't2')][1];
    cluster.cut.add('n2');
    const outcomes = cluster.cancel('n1', 't2');
    cluster.pass(600);
    expect(outcomes).toEqual([]);
    cluster.cut.delete('n2');
    for (let i = 0; i < 10; i++) cluster.pass(100);
    expect(outcomes.map(codeOf)).toEqual([true]);
    expect(second?.map(codeOf)).toEqual(['taskCancelled']);
  });

  test('that is on its way to the host is cancelled before it comes', () => {
    const cluster = new Cluster();
    const first = cluster.task('n2', 't1');
    expect(cluster.cancel('n1', 't1').map(codeOf)).toEqual([true]);
    expect(cluster.recorded).toEqual(['t1']);
    expect(first.map(codeOf)).toEqual(['taskCancelled']);
    // What its host says later is the answer to nothing.
    cluster.given.get('t1')?.done({ ok: true, result: { agent: 'a', task: 't1', value: new Uint8Array() } });
    cluster.settle();
    expect(first).toHaveLength(1);
  });

  test('is not called cancelled before the node where it waits has heard that, however long its link is gone', () => {
    const cluster = new Cluster();
    const second = [cluster.task('n2', 't1'), cluster.task('n2', 't2')][1];
    cluster.isLost = (message) =>
      message.type === 'forward' &&
      (decodeOperation(message.body.operation) as { cancelled?: boolean }).cancelled === true;
    const outcomes = cluster.cancel('n1', 't2');
    expect(cluster.recorded).toEqual(['t2']);
    for (let i = 0; i < 20; i++) cluster.pass(100);
    expect([outcomes, second]).toEqual([[], []]);
    cluster.isLost = () => false;
    for (let i = 0; i < 10; i++) cluster.pass(100);
    expect(outcomes).toMatchObject([{ ok: true, result: { task: 't2' } }]);
    expect(second?.map(codeOf)).toEqual(['taskCancelled']);
    cluster.given.get('t1')?.done({ ok: true, result: { agent: 'a', task: 't1', value: new Uint8Array() } });
    cluster.settle();
    expect([...cluster.given.keys()]).toEqual(['t1']);
  });

  test('is not called unknown while a node that may have it is not connected', () => {
    const cluster = new Cluster();
    const second = [cluster.task('n2', 't1'), cluster.task('n2', 't2')][1];
    cluster.away.add('n2');
    const outcomes = cluster.cancel('n1', 't2');
    cluster.pass(600);
    expect(outcomes).toEqual([]);
    expect(cluster.list('n1')).toMatchObject([{ result: { silent: 1 } }]);
    cluster.away.delete('n2');
    for (let i = 0; i < 10; i++) cluster.pass(100);
    expect(outcomes.map(codeOf)).toEqual([true]);
    expect(second?.map(codeOf)).toEqual(['taskCancelled']);
  });

  test('is not called unknown while too much is asked to ask anybody about it', () => {
    const cluster = new Cluster();
    const second = [cluster.task('n2', 't1'), cluster.task('n2', 't2')][1];
    cluster.cut.add('n2');
    for (let i = 0; i < 64; i++) cluster.list('n1');
    cluster.cut.delete('n2');
    const outcomes = cluster.cancel('n1', 't2');
    expect(outcomes).toEqual([]);
    for (let i = 0; i < 20; i++) cluster.pass(100);
    expect(outcomes.map(codeOf)).toEqual([true]);
    expect(second?.map(codeOf)).toEqual(['taskCancelled']);
  });
});

describe('what a node says of what waits there', () => {
  const listed = { task: 't2', priority: 5, key: 'k' };
  test.each<[string, object, unknown[], number]>([
    ['is taken', { agent: 'a', waiting: 1, first: [listed] }, [{ ...listed, door: 'n2' }], 0],
    ['is taken but for what is no task', { agent: 'a', waiting: 3, first: [null, { task: 7 }, listed] }, [listed], 0],
    ['is cut', { agent: 'a', waiting: 500, first: Array(500).fill(listed) }, Array(100).fill(listed), 0],
    ['is nothing when it is of another agent', { agent: 'b', waiting: 1, first: [listed] }, [], 1],
    ['is nothing without a number', { agent: 'a', waiting: -1, first: [listed] }, [], 1],
    ['is nothing without a list', { agent: 'a', waiting: 1, first: 'none' }, [], 1],
  ])('%s', (_what, result, first, silent) => {
    const { sent, heard, doors } = asking();
    doors.ask('a', '', (said) => void heard.push(said));
    doors.onAnswer('n2', sent[0] ?? '', { ok: true, result } as Outcome);
    expect(heard).toMatchObject([{ told: first.length === 0 ? [] : [{ door: 'n2' }], silent }]);
    expect(heard[0]?.told[0]?.first ?? []).toMatchObject(first.map((each) => ({ task: (each as typeof listed).task })));
  });

  test('before a start of the asker is no answer after it', () => {
    const [before, after] = [asking('s1'), asking('s2')];
    for (const { doors, heard } of [before, after]) doors.ask('a', 't2', (said) => void heard.push(said));
    after.doors.onAnswer('n2', before.sent[0] ?? '', { ok: true, result: { agent: 'a', waiting: 0, first: [] } });
    expect(after.heard).toEqual([]);
  });
});

/** The doors of n1, which is connected to n2 and started under that name. */
function asking(start = 's1') {
  const [sent, heard] = [[] as string[], [] as Heard[]];
  const sendUrgent = (_to: string, { body }: { body: { request: string } }) => void sent.push(body.request);
  const context = { self: 'n1', start, boot: 1, nowMs: 0, out: { sendUrgent } } as unknown as Context;
  const doors = new Doors(context, {
    peers: { connected: () => ['n2'], isConnected: () => true },
    alive: () => ['n1', 'n2'],
    here: ({ agent }) => ({ agent, waiting: 0, first: [] }),
  });
  return { sent, heard, doors };
}
