import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { joined } from '../../node/core/bytes.ts';
import type { Isolation } from '../../node/core/isolation.ts';
import { StateBytes } from '../../node/core/state-bytes.ts';
import type { StateChange } from '../../node/core/state-change.ts';
import { aheadBytes } from '../../node/runtime/ahead-bytes.ts';
import type { Runner } from '../../node/runtime/ports.ts';
import { createAgents } from './agents-kit.ts';

const stateBytes = 5 * aheadBytes + 1_000;
const source = `
export default {
  init: () => new Uint8Array(${stateBytes}).map((_, at) => at * 31),
  handle(state, { at }) {
    if (at === 'all') state = state.map((byte) => byte ^ 255);
    else state[at] ^= 255;
    return { state, result: state[at === 'all' ? 7 : at] };
  },
  checkpoint: (state) => state,
  restore: (bytes) => bytes.slice(),
};`;
const first = new Uint8Array(stateBytes).map((_, at) => at * 31);

let directory: string;
let runner: Runner;
/** What came ahead and is of nothing yet, and how it was cut. */
let ahead: Uint8Array[] = [];
let sizes: number[] = [];
let started: Uint8Array | undefined;
let ran: StateChange | undefined;
let failed: string[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'large-'));
  [ahead, sizes, failed, started, ran] = [[], [], [], undefined, undefined];
  const take = (rest: Uint8Array): Uint8Array => {
    const all = joined([...ahead, rest]);
    sizes = ahead.map(({ byteLength }) => byteLength);
    ahead = [];
    return all;
  };
  runner = createAgents({
    directory: join(directory, 'types'),
    limits: { sparesMax: 0 },
    events: {
      ahead: (_agent, _epoch, bytes) => void ahead.push(bytes),
      started: (_agent, _epoch, state) => void (started = take(state)),
      ran: (_agent, _epoch, _task, _ok, _value, update) => {
        if (update !== undefined && !(update instanceof Uint8Array))
          ran = { ...update, inserted: take(update.inserted) };
      },
      returned: () => {},
      progress: () => {},
      prepared: () => {},
      failed: (agent, _epoch, reason) => void failed.push(`${agent}: ${reason}`),
    },
  });
});

afterEach(async () => {
  await runner.stopAll();
  await rm(directory, { recursive: true, force: true });
});

const until = (what: () => boolean): Promise<void> =>
  vi.waitFor(() => expect([what(), failed]).toEqual([true, []]), { timeout: 20_000, interval: 5 });

async function begin(epoch: number, state?: Uint8Array, agent = 'a', isolation: Isolation = 'agent'): Promise<void> {
  started = undefined;
  const order = { agent, agentType: 'large', epoch, source, isolation };
  const views = state === undefined ? [] : [...StateBytes.of(state, 16_384).views(0, state.byteLength)];
  const [beginning, ...more] = views;
  runner.start({ ...order, state: beginning, ...(more.length > 0 && { more }) });
  await until(() => started !== undefined);
}

async function change(epoch: number, at: number | 'all'): Promise<StateChange> {
  ran = undefined;
  runner.run('a', epoch, `t${at}`, new TextEncoder().encode(JSON.stringify({ at })));
  await until(() => ran !== undefined);
  return ran as unknown as StateChange;
}

describe('a large state of an agent in a thread', () => {
  test('comes from it and goes to it in pieces; what a task changes comes alone, and in pieces when it is much', async () => {
    await begin(1);
    expect(started).toEqual(first);
    expect(sizes).toEqual([aheadBytes, aheadBytes, aheadBytes, aheadBytes, aheadBytes]);
    expect(await change(1, 400_000)).toMatchObject({ offset: 400_000, removed: 1, previousLength: stateBytes });
    expect(sizes).toEqual([]);
    const all = await change(1, 'all');
    expect(sizes.every((size) => size === aheadBytes)).toBe(true);
    expect(sizes.length).toBeGreaterThan(3);
    const state = first.map((byte, at) => (at === 400_000 ? byte : byte ^ 255));
    expect(joined([first.slice(0, all.offset), all.inserted, first.slice(all.offset + all.removed)])).toEqual(state);
    runner.stop('a', 1);

    await begin(2, state);
    // It is what it was started from: nothing of it comes back.
    expect(sizes).toEqual([]);
    expect(await change(2, 9)).toMatchObject({ offset: 9, inserted: Uint8Array.of((state[9] as number) ^ 255) });
  });

  test('that is stopped on its way there leaves its seat in a shared thread to others', async () => {
    await begin(1, undefined, 'b', 'type');
    const [state, ...more] = StateBytes.of(first, 1_000).views(0, stateBytes);
    for (let i = 0; i < 3; i++) {
      runner.start({ agent: 'a', agentType: 'large', epoch: i, source, isolation: 'type', state, more });
      runner.stop('a', i);
    }
    await begin(5, first, 'a', 'type');
    expect(await change(5, 70_000)).toMatchObject({ offset: 70_000, removed: 1 });
  });
});
