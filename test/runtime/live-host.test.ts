import { describe, expect, test, vi } from 'vitest';
import type { Effect } from '../../node/core/effect.ts';
import type { Event } from '../../node/core/event.ts';
import type { Node } from '../../node/core/node.ts';
import { LiveHost } from '../../node/runtime/live-host.ts';
import type { Runner, Store, Transport, TransportEvents } from '../../node/runtime/ports.ts';

/** A transport that says at once, within the call, that a connection it was told to close is closed. */
class PromptTransport implements Transport {
  readonly self = 'n1';
  readonly done: string[] = [];
  #events: TransportEvents | undefined;

  addresses(): string[] {
    return [];
  }
  async start(events: TransportEvents): Promise<void> {
    this.#events = events;
  }
  dial(): void {}
  dialAddress(address: string): void {
    this.done.push(address);
  }
  hangUp(node: string): void {
    this.#events?.disconnected(node);
  }
  send(): void {}
  publish(): void {}
  async stop(): Promise<void> {}
}

/** A host whose node answers each kind of event with a fixed row of effects. */
async function hosting(rows: Partial<Record<Event['type'], Effect[]>>) {
  const transport = new PromptTransport();
  const seen: Event[] = [];
  const written: number[] = [];
  const exits: number[] = [];
  const begun: string[] = [];
  const run: Runner['run'] = (_agent, _epoch, task) => void begun.push(task);
  const runner: Runner = {
    ...{ start() {}, run, recall() {}, cancel() {}, stop() {}, renew() {}, prepare() {}, release() {} },
    stopAll: async () => {},
  };
  let letWrite = (): void => {};
  const store: Store = {
    load: async () => new Map(),
    write: async (batch) => {
      written.push(batch.length);
      await new Promise<void>((resolve) => {
        letWrite = resolve;
      });
    },
    close: async () => {},
  };
  const handle = (event: Event): Effect[] => {
    seen.push(event);
    return rows[event.type] ?? [];
  };
  const host = new LiveHost({
    transport,
    store,
    createRunner: () => runner,
    createNode: () => ({ handleAll: (events: readonly Event[]) => events.flatMap(handle) }) as unknown as Node,
    onReport() {},
    onExit: (code) => void exits.push(code),
    onStoreFailure() {},
    log() {},
  });
  await host.start();
  return { host, transport, seen, written, exits, begun, finishWrite: () => letWrite() };
}

const persist = (id: number): Effect => ({ type: 'persist', id, writes: [{ key: `k${id}`, value: undefined }] });
const mark = (address: string): Effect => ({ type: 'dialAddress', address });

describe('the live host', () => {
  test('writes, and runs once, what follows from an effect that is an event at once', async () => {
    const { host, transport, seen, written, finishWrite } = await hosting({
      connected: [persist(1), mark('a'), { type: 'hangUp', node: 'n2' }, mark('b')],
      disconnected: [mark('c'), persist(2), mark('d')],
    });
    host.dispatch({ type: 'connected', node: 'n2' });
    await vi.waitFor(() => expect(written).toEqual([1]));
    expect(transport.done).toEqual([]);
    finishWrite();
    await vi.waitFor(() => expect(written).toEqual([1, 1]));
    finishWrite();
    await vi.waitFor(() => expect(transport.done).toEqual(['a', 'b', 'c', 'd']));
    expect(seen.flatMap((event) => (event.type === 'persisted' ? [event.id] : []))).toEqual([1, 2]);
  });

  test('begins a task while a write is on its way, and nothing that is bound to the write', async () => {
    const run = { agent: 'a', epoch: 1, task: 't1', payload: new Uint8Array(), deadlineMs: 1_000 };
    const task: Effect = { type: 'runTask', ...run };
    const { host, transport, begun } = await hosting({ connected: [persist(1), mark('a'), task] });
    host.dispatch({ type: 'connected', node: 'n2' });
    expect(begun).toEqual(['t1']);
    expect(transport.done).toEqual([]);
  });

  test('ends when a write does not, before what waits behind it takes all memory', async () => {
    const marks = Array.from({ length: 10_000 }, () => mark('x'));
    const { host, transport, written, exits } = await hosting({ connected: [persist(1)], wake: marks });
    host.dispatch({ type: 'connected', node: 'n2' });
    await vi.waitFor(() => expect(written).toEqual([1]));
    const done = transport.done.length;
    for (let n = 0; n < 19; n++) host.dispatch({ type: 'wake' });
    expect(exits).toEqual([]);
    for (let n = 0; n < 5; n++) host.dispatch({ type: 'wake' });
    expect(exits).toEqual([74]);
    expect(transport.done).toHaveLength(done);
  });

  test('does so as well when nothing was being written before', async () => {
    const { host, transport, written, seen, finishWrite } = await hosting({
      connected: [persist(1), mark('a')],
      persisted: [{ type: 'hangUp', node: 'n2' }, mark('b')],
      disconnected: [persist(2), mark('c')],
    });
    host.dispatch({ type: 'connected', node: 'n2' });
    await vi.waitFor(() => expect(written).toEqual([1]));
    finishWrite();
    await vi.waitFor(() => expect(written).toEqual([1, 1]));
    expect(transport.done).toEqual(['a', 'b']);
    finishWrite();
    await vi.waitFor(() => expect(seen.filter(({ type }) => type === 'persisted')).toHaveLength(2));
  });
});
