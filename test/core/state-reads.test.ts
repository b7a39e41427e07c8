import { expect, test } from 'vitest';
import { AgentState } from '../../node/core/agent-state.ts';
import type { Context } from '../../node/core/context.ts';
import { Holder } from '../../node/core/holder.ts';
import type { NodeId, Profile } from '../../node/core/message.ts';
import { Outbox } from '../../node/core/outbox.ts';
import { majorityOf } from '../../node/core/replication.ts';
import { restore } from '../../node/core/restored.ts';
import { defaultSettings } from '../../node/core/settings.ts';
import { StateReads } from '../../node/core/state-reads.ts';

const epoch = 5;

/** Reads of an agent that runs on n1 and that n2 and n3 hold with it. */
class Scene {
  readonly #out = new Outbox();
  readonly #state = new AgentState(defaultSettings);
  readonly reads: StateReads;
  /** The steps that readers were shown. */
  readonly shown: number[] = [];

  constructor() {
    const context: Context = {
      ...{ self: 'n1', boot: 1, start: 's', profile: {} as Profile, settings: defaultSettings, out: this.#out },
      ...{ random: () => 0.5, nowMs: 0, wallMs: 0 },
    };
    const holder = new Holder(context, restore(new Map()), () => false);
    const holders = ['n1', 'n2', 'n3'];
    this.reads = new StateReads(context, holder, { agent: 'a', epoch, holders, quorum: majorityOf });
  }

  /** Begins a read of a step; the number under which n2 is asked whether the epoch stands. */
  begin(sequence: number): number {
    const shown = (read: { sequence: number }): void => void this.shown.push(read.sequence);
    this.reads.begin(sequence, this.#state, shown, (node, body) => this.reads.onConfirmed(node, body));
    for (const effect of this.#out.take()) {
      if (effect.type === 'send' && effect.to === 'n2' && effect.message.type === 'confirm') {
        return effect.message.body.round;
      }
    }
    throw new Error('n2 is not asked');
  }

  confirmed(node: NodeId, round: number, standing = true): void {
    this.reads.onConfirmed(node, { agent: 'a', epoch, round, standing, sealedEpoch: standing ? epoch : epoch + 1 });
  }
}

test('a read shows a step only when a majority of the holders keeps it', () => {
  const scene = new Scene();
  scene.confirmed('n2', scene.begin(8));
  scene.reads.answer(7);
  expect(scene.shown).toEqual([]);
  scene.reads.answer(8);
  expect(scene.shown).toEqual([8]);
});

test('a read is answered only by a majority that says, after it was asked, that the epoch stands', () => {
  const scene = new Scene();
  const before = scene.begin(7);
  const round = scene.begin(7);
  scene.confirmed('n2', before);
  scene.reads.answer(7);
  expect(scene.shown).toEqual([7]);
  // The other one began after that was said.
  scene.confirmed('n3', before);
  scene.reads.answer(7);
  expect(scene.shown).toEqual([7]);
  scene.confirmed('n3', round, false);
  scene.reads.answer(7);
  expect(scene.shown).toEqual([7]);
  scene.confirmed('n2', round);
  scene.reads.answer(7);
  expect(scene.shown).toEqual([7, 7]);
});
