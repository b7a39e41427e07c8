import { describe, expect, test } from 'vitest';
import type { Context } from '../../node/core/context.ts';
import type { Effect, Write } from '../../node/core/effect.ts';
import { Holder } from '../../node/core/holder.ts';
import type { MessageOf, Profile } from '../../node/core/message.ts';
import { Outbox } from '../../node/core/outbox.ts';
import { restore } from '../../node/core/restored.ts';
import { defaultSettings } from '../../node/core/settings.ts';
import { StateBytes } from '../../node/core/state-bytes.ts';
import { piecesFor } from '../../node/core/state-copy.ts';
import { encodeManifest } from '../../node/core/state-manifest.ts';

const settings = {
  ...defaultSettings,
  ...{ statePartBytes: 8, stateInlineBytes: 10, stateChunkBytes: 16, stateFetchBytesMax: 32, copyIdleMs: 3_000 },
};
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const stateOf = (text: string): StateBytes => StateBytes.of(bytes(text), settings.statePartBytes);
const long = 'a state of many parts, each of which has eight bytes, or fewer where that comes out even';

function offerOf(state: StateBytes, sequence: number, epoch = 1): MessageOf<'stateOffer'> {
  const { checksum } = state;
  return { agent: 'a', epoch, sequence, parts: encodeManifest(state), checksum, results: [], resultsFrom: 0 };
}

/** A holder on a disk; `deliver` decides what becomes of each question for parts. */
class Stage {
  readonly disk: Map<string, Uint8Array>;
  readonly context: Context;
  readonly holder: Holder;
  readonly answers: MessageOf<'replicated'>[] = [];
  readonly asked: { to: string; fetch: MessageOf<'stateFetch'> }[] = [];
  #effects: Effect[] = [];

  constructor(disk = new Map<string, Uint8Array>()) {
    this.disk = new Map(disk);
    this.context = {
      ...{ self: 'n2', boot: 1, start: '', profile: {} as Profile, settings, out: new Outbox() },
      ...{ random: () => 0.5, nowMs: 0, wallMs: 0 },
    };
    this.holder = new Holder(this.context, restore(disk), () => false);
    this.settle();
  }

  /** It is looked at in a turn of its own. */
  offer(offer: MessageOf<'stateOffer'>, from = 'n1'): void {
    this.holder.offer(from, offer, (answer) => this.answers.push(answer));
    this.settle();
    this.later(1);
  }

  /** Writes what is to be written, until nothing follows. */
  settle(): void {
    for (;;) {
      this.#effects.push(...this.context.out.take());
      const effect = this.#effects.shift();
      if (effect === undefined) return;
      if (effect.type === 'send' && effect.message.type === 'stateFetch') {
        this.asked.push({ to: effect.to, fetch: effect.message.body });
      }
      if (effect.type !== 'persist') continue;
      for (const write of effect.writes) this.#write(write);
      this.context.out.persisted(effect.id);
    }
  }

  #write({ key, value }: Write): void {
    if (value === undefined) this.disk.delete(key);
    else this.disk.set(key, value);
  }

  /** Answers the next question from a state; false when there is none. */
  answer(state: StateBytes | undefined, change = (pieces: MessageOf<'statePieces'>) => pieces): boolean {
    const next = this.asked.shift();
    if (next === undefined) return false;
    this.holder.onPieces(next.to, change(piecesFor(next.fetch, state, settings.stateChunkBytes)));
    this.settle();
    return true;
  }

  answerAll(state: StateBytes): void {
    while (this.answer(state)) {
      // The next one.
    }
  }

  get kept(): string | undefined {
    const kept = this.holder.kept('a');
    return kept && new TextDecoder().decode(kept.state.bytes());
  }

  parts(): number {
    return [...this.disk.keys()].filter((key) => key.startsWith('state-part/')).length;
  }

  later(ms: number): void {
    this.context.nowMs += ms;
    this.holder.tick();
    this.settle();
  }
}

describe('a holder that is offered a large state', () => {
  const state = stateOf(long);

  test('fetches it in small messages with few bytes on their way, keeps it when all is there, and not before', () => {
    const stage = new Stage();
    stage.offer(offerOf(state, 4));
    let onTheirWay = stage.asked.flatMap(({ fetch }) => fetch.places).length * settings.statePartBytes;
    expect(onTheirWay).toBeLessThanOrEqual(settings.stateFetchBytesMax);
    for (let i = 0; stage.asked.length > 0; i++) {
      expect(stage.kept, `after ${i} messages`).toBeUndefined();
      expect(stage.answers).toEqual([]);
      stage.answer(state);
      onTheirWay = stage.asked.flatMap(({ fetch }) => fetch.places).length * settings.statePartBytes;
      expect(onTheirWay).toBeLessThanOrEqual(settings.stateFetchBytesMax);
    }
    expect(stage.answers).toMatchObject([{ accepted: true, sequence: 4 }]);
    expect(stage.kept).toBe(long);
    expect(new Stage(stage.disk).kept).toBe(long);
  });

  test('asks again for what was lost, takes nothing twice, and believes nothing that is not as it was named', () => {
    const stage = new Stage();
    stage.offer(offerOf(state, 4));
    const [first] = stage.asked;
    stage.answer(stateOf(long.toUpperCase()));
    stage.asked.length = 0;
    stage.later(settings.holderRetryMs);
    // One small question, as nobody answered the last.
    expect(stage.asked).toHaveLength(1);
    expect(stage.asked[0]?.fetch.places).toEqual(first?.fetch.places);
    stage.answer(state, (pieces) => ({ ...pieces, pieces: pieces.pieces.toReversed() }));
    stage.later(settings.holderRetryMs);
    const again = stage.asked[0]?.fetch;
    if (again !== undefined) for (let i = 0; i < 2; i++) stage.holder.onPieces('n1', piecesFor(again, state, 16));
    stage.settle();
    stage.answerAll(state);
    expect(stage.kept).toBe(long);
    expect(stage.parts()).toBe(state.parts.length);
  });

  test('keeps what it had until then, and needs only the parts that are new', () => {
    const stage = new Stage();
    stage.offer(offerOf(state, 4));
    stage.answerAll(state);
    const next = state.splice({ previousLength: state.length, offset: 30, removed: 4, inserted: bytes('with') });
    stage.offer(offerOf(next, 9));
    expect(stage.kept).toBe(long);
    expect(stage.asked.flatMap(({ fetch }) => fetch.places).length).toBeLessThanOrEqual(2);
    stage.answerAll(next);
    expect(stage.kept).toBe(new TextDecoder().decode(next.bytes()));
    expect(stage.parts()).toBe(next.parts.length);
  });

  test('that is offered a later one in the middle goes on with what it has of it; an earlier one changes nothing', () => {
    const stage = new Stage();
    const next = state.splice({ previousLength: state.length, offset: 2, removed: 5, inserted: bytes('STATE') });
    stage.offer(offerOf(state, 4));
    for (let i = 0; i < 3; i++) stage.answer(state);
    const there = stage.parts();
    expect(there).toBeGreaterThan(2);
    stage.offer(offerOf(next, 5));
    stage.offer(offerOf(state, 4));
    const old = stage.asked.filter(({ fetch }) => fetch.sequence === 4);
    stage.asked.splice(0, stage.asked.length, ...stage.asked.filter(({ fetch }) => fetch.sequence === 5));
    for (const { fetch } of old) stage.holder.onPieces('n1', piecesFor(fetch, state, 16));
    stage.later(settings.holderRetryMs);
    stage.answerAll(next);
    stage.later(settings.holderRetryMs);
    stage.answerAll(next);
    expect(stage.answers).toMatchObject([{ accepted: true, sequence: 5 }]);
    expect(stage.kept).toBe(new TextDecoder().decode(next.bytes()));
    expect(stage.parts()).toBe(next.parts.length);
  });

  test('that starts anew in the middle has dropped it, and keeps what it had', () => {
    const before = new Stage();
    before.offer(offerOf(state, 4));
    before.answerAll(state);
    before.offer(offerOf(stateOf(long.toUpperCase()), 5));
    before.answer(stateOf(long.toUpperCase()));
    expect(before.parts()).toBeGreaterThan(state.parts.length);
    const again = new Stage(before.disk);
    expect(again.kept).toBe(long);
    expect(again.parts()).toBe(state.parts.length);
  });

  test('goes on when the seal of its own epoch comes behind the offer', () => {
    const stage = new Stage();
    const state = stateOf(long);
    stage.offer(offerOf(state, 5, 9));
    stage.answer(state);
    stage.holder.seal('a', 9, undefined, () => {});
    stage.settle();
    while (stage.answer(state));
    stage.offer(offerOf(state, 5, 9));
    while (stage.answer(state));
    expect(stage.answers.at(-1)).toMatchObject({ epoch: 9, sequence: 5, accepted: true });
  });

  test('that was sealed in the middle says so at the end, and asks for nothing more', () => {
    const stage = new Stage();
    stage.offer(offerOf(state, 4));
    stage.answer(state);
    stage.holder.seal('a', 2, undefined, () => {});
    stage.settle();
    stage.asked.length = 0;
    stage.later(settings.holderRetryMs);
    expect(stage.asked).toEqual([]);
    stage.offer(offerOf(state, 4));
    expect(stage.answers).toMatchObject([{ accepted: false, sealedEpoch: 2 }]);
    stage.later(settings.copyIdleMs);
    expect(stage.parts()).toBe(0);
  });

  test.each<[string, (stage: Stage) => void]>([
    ['whose host has it no more', (stage) => void stage.answer(undefined)],
    ['of which nothing is heard any more', (stage) => stage.later(settings.copyIdleMs)],
    ['whose agent is gone', (stage) => stage.holder.onGone('a', 9)],
  ])('leaves nothing on its disk of one %s', (_name, end) => {
    const stage = new Stage();
    stage.offer(offerOf(state, 4));
    stage.answer(state);
    expect(stage.parts()).toBeGreaterThan(0);
    end(stage);
    stage.settle();
    expect(stage.parts()).toBe(0);
  });

  test.each<[string, Partial<MessageOf<'stateOffer'>>]>([
    ['no list of parts', { parts: bytes('12345') }],
    ['no parts', { parts: new Uint8Array(0) }],
    ['parts that do not come to the checksum', { checksum: 1 }],
    ['a part without a byte', { parts: new Uint8Array(12), checksum: 0 }],
    ['more than a state may have', { parts: new Uint8Array(12 * 100).fill(255) }],
  ])('takes none of %s', (_name, wrong) => {
    const stage = new Stage();
    stage.offer({ ...offerOf(state, 4), ...wrong });
    expect([stage.asked, stage.answers]).toEqual([[], []]);
  });

  test('where a part stands at several places is read again as it was, also when one of them changes', () => {
    const twice = StateBytes.ofParts([...stateOf('12345678').parts, ...state.parts, ...stateOf('12345678').parts], 8);
    const stage = new Stage();
    stage.offer(offerOf(stateOf(`${long} 12345678`), 1));
    stage.answerAll(stateOf(`${long} 12345678`));
    stage.offer(offerOf(twice, 2));
    stage.answerAll(twice);
    expect(new Stage(stage.disk).kept).toBe(`12345678${long}12345678`);
    const again = new Stage(stage.disk);
    const changed = twice.splice({ previousLength: twice.length, offset: 0, removed: 1, inserted: bytes('x') });
    again.offer(offerOf(changed, 3));
    again.answerAll(changed);
    expect(new Stage(again.disk).kept).toBe(`x2345678${long}12345678`);
  });
});
