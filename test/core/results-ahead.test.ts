import { describe, expect, test } from 'vitest';
import type { Context } from '../../node/core/context.ts';
import type { Write } from '../../node/core/effect.ts';
import { Holder } from '../../node/core/holder.ts';
import type { MessageOf, Profile, TaskResult } from '../../node/core/message.ts';
import { Outbox } from '../../node/core/outbox.ts';
import { restore } from '../../node/core/restored.ts';
import { defaultSettings } from '../../node/core/settings.ts';
import { StateBytes } from '../../node/core/state-bytes.ts';
import { piecesFor } from '../../node/core/state-copy.ts';
import { encodeManifest } from '../../node/core/state-manifest.ts';

const settings = {
  ...defaultSettings,
  ...{ statePartBytes: 8, stateInlineBytes: 10, stateChunkBytes: 16, stateFetchBytesMax: 32, resultsChunk: 4 },
};
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const stateOf = (text: string): StateBytes => StateBytes.of(bytes(text), settings.statePartBytes);
const one = stateOf('a state of many parts, each of which has eight bytes, or fewer');
const other = stateOf('another one, of which no part is like any part of the first one');

/** So many steps, the last of which led to the state. */
function resultsOf(first: number, last: number, what = 'done'): TaskResult[] {
  return Array.from({ length: last - first + 1 }, (_, i) => {
    const sequence = first + i;
    return { task: `t${sequence}`, sequence, ok: true, value: bytes(`${what} ${sequence}`), valueDropped: false };
  });
}

function offerOf(state: StateBytes, results: TaskResult[], epoch: number): MessageOf<'stateOffer'> {
  const { checksum } = state;
  const sequence = results.at(-1)?.sequence ?? 0;
  return { agent: 'a', epoch, sequence, parts: encodeManifest(state), checksum, results, resultsFrom: 0 };
}

/** A holder whose disk keeps every batch. */
class Stage {
  readonly disk: Map<string, Uint8Array>;
  readonly batches: Write[][] = [];
  readonly context: Context;
  readonly holder: Holder;

  constructor(disk = new Map<string, Uint8Array>()) {
    this.disk = new Map(disk);
    this.context = {
      ...{ self: 'n2', boot: 1, start: '', profile: {} as Profile, settings, out: new Outbox() },
      ...{ random: () => 0.5, nowMs: 0, wallMs: 0 },
    };
    this.holder = new Holder(this.context, restore(disk), () => false);
    this.#settle(one);
  }

  copy(state: StateBytes, results: TaskResult[], epoch: number): void {
    this.holder.offer('n1', offerOf(state, results, epoch), () => {});
    this.run(state);
  }

  /** Until nothing follows any more. */
  run(state = one): void {
    for (let turn = 0; turn < 20; turn++) {
      this.context.nowMs += 50;
      this.holder.tick();
      this.#settle(state);
    }
  }

  #settle(state: StateBytes): void {
    for (let effects = this.context.out.take(); effects.length > 0; effects = this.context.out.take()) {
      for (const effect of effects) {
        if (effect.type === 'send' && effect.message.type === 'stateFetch')
          this.holder.onPieces('n1', piecesFor(effect.message.body, state, settings.stateChunkBytes));
        if (effect.type !== 'persist') continue;
        this.batches.push(effect.writes);
        for (const write of effect.writes) apply(this.disk, write);
        this.context.out.persisted(effect.id);
      }
    }
  }

  get kept() {
    const { sequence, state, results } = this.holder.kept('a') ?? {};
    const told = results?.map(({ task, value }) => `${task}: ${new TextDecoder().decode(value)}`);
    return { sequence, state: state && new TextDecoder().decode(state.bytes()), results: told };
  }
}

function apply(disk: Map<string, Uint8Array>, { key, value }: Write): void {
  if (value === undefined) disk.delete(key);
  else disk.set(key, value);
}

const count = (disk: ReadonlyMap<string, Uint8Array>, prefix: string): number =>
  [...disk.keys()].filter((key) => key.startsWith(prefix)).length;

describe('many results that come with a large state', () => {
  test('are written some at a time, and after a crash between any two writes all of the old or all of the new are there', () => {
    const stage = new Stage();
    stage.copy(one, resultsOf(1, 30), 1);
    const [before, disk] = [stage.kept, new Map(stage.disk)];
    const from = stage.batches.length;
    stage.copy(other, resultsOf(11, 50, 'again'), 2);
    const after = stage.kept;
    expect(after).toEqual({
      sequence: 50,
      state: new TextDecoder().decode(other.bytes()),
      results: resultsOf(11, 50, 'again').map(({ task, sequence }) => `${task}: again ${sequence}`),
    });
    const found = [];
    for (const batch of stage.batches.slice(from)) {
      expect(batch.filter(({ key, value }) => key.startsWith('result/') && value !== undefined).length).toBeLessThan(5);
      for (const write of batch) apply(disk, write);
      const again = new Stage(disk);
      found.push(again.kept.sequence);
      expect(again.kept).toEqual(again.kept.sequence === 50 ? after : before);
      const { results = [], state = '' } = again.kept;
      // Nothing of the other copy is left.
      expect(count(again.disk, 'result/')).toBe(results.length);
      expect(count(again.disk, 'state-part/')).toBe(stateOf(state).parts.length);
    }
    expect(found.filter((sequence) => sequence === 30).length).toBeGreaterThan(10);
    expect(found.at(-1)).toBe(50);
    expect(count(stage.disk, 'result/')).toBe(40);
  });

  test('go on in their table with the next steps, and into another one with the next state', () => {
    const stage = new Stage();
    stage.copy(one, resultsOf(1, 30), 1);
    const step = { agent: 'a', epoch: 1, sequence: 31, previousEpoch: 1, previousSequence: 30, full: false };
    const rest = { state: bytes(''), changes: [], results: resultsOf(31, 31), resultsFrom: 3, checksum: one.checksum };
    stage.holder.replicate({ ...step, ...rest }, () => {});
    stage.run();
    expect(stage.kept.results).toHaveLength(29);
    expect(new Stage(stage.disk).kept).toEqual(stage.kept);
    stage.copy(other, resultsOf(20, 24), 2);
    expect(stage.kept.results).toHaveLength(5);
    const again = new Stage(stage.disk);
    expect(again.kept).toEqual(stage.kept);
    again.copy(one, resultsOf(20, 60), 3);
    expect(new Stage(again.disk).kept).toEqual(again.kept);
    expect([count(again.disk, 'result/'), again.kept.results?.length]).toEqual([41, 41]);
  });

  test.each<[string, (stage: Stage) => void]>([
    ['is sealed', (stage) => stage.holder.seal('a', 7, undefined, () => {})],
    ['has gone', (stage) => stage.holder.onGone('a', 9)],
  ])('leave nothing where the agent %s in the middle, and a later one of its name keeps its own', (_what, happens) => {
    const stage = new Stage();
    stage.holder.offer('n1', offerOf(one, resultsOf(1, 30), 1), () => {});
    const { out } = stage.context;
    stage.context.nowMs += 50;
    stage.holder.tick();
    // Some of them are on the disk, and not all.
    while (count(stage.disk, 'result/') < 8) {
      for (const effect of out.take()) {
        if (effect.type === 'send' && effect.message.type === 'stateFetch')
          stage.holder.onPieces('n1', piecesFor(effect.message.body, one, settings.stateChunkBytes));
        if (effect.type !== 'persist') continue;
        for (const write of effect.writes) apply(stage.disk, write);
        out.persisted(effect.id);
      }
    }
    happens(stage);
    stage.run();
    expect(count(stage.disk, 'result/')).toBe(0);
    stage.copy(other, resultsOf(1, 20), 12);
    stage.run();
    expect(stage.kept.results).toHaveLength(20);
    expect(new Stage(stage.disk).kept).toEqual(stage.kept);
  });
});

describe('what a holder has of a large state', () => {
  const large = StateBytes.of(
    new Uint8Array(8 * 2_000).map((_, at) => (at * 7919) >> 3),
    settings.statePartBytes,
  );

  test.each<[string, (stage: Stage) => void]>([
    ['lets it go', (stage) => stage.holder.letGo('a', 5)],
    ['hears that the agent is gone', (stage) => stage.holder.onGone('a', 9)],
  ])('goes from its disk some at a time when it %s', (_what, happens) => {
    const stage = new Stage();
    stage.copy(large, resultsOf(1, 600), 1);
    stage.run(large);
    stage.run(large);
    expect([count(stage.disk, 'result/'), count(stage.disk, 'state-part/')]).toEqual([600, large.parts.length]);
    const from = stage.batches.length;
    happens(stage);
    expect(stage.holder.kept('a')).toBeUndefined();
    stage.run();
    for (const batch of stage.batches.slice(from)) expect(batch.length).toBeLessThan(600);
    expect([count(stage.disk, 'result/'), count(stage.disk, 'state')]).toEqual([0, 0]);
  });

  test('and one of the same name that comes before all of it is gone keeps its own', () => {
    const stage = new Stage();
    stage.copy(large, resultsOf(1, 600), 1);
    stage.run(large);
    stage.holder.onGone('a', 9);
    stage.copy(one, resultsOf(1, 20), 12);
    stage.run();
    expect(new Stage(stage.disk).kept).toEqual(stage.kept);
    expect([count(stage.disk, 'result/'), count(stage.disk, 'state-part/')]).toEqual([20, one.parts.length]);
  });
});
