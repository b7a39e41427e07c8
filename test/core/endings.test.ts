import { describe, expect, test } from 'vitest';
import type { Ending } from '../../node/core/cluster-state.ts';
import type { Draft } from '../../node/core/command.ts';
import type { Context } from '../../node/core/context.ts';
import type { Decisions } from '../../node/core/decisions.ts';
import { Endings } from '../../node/core/endings.ts';
import type { Holder } from '../../node/core/holder.ts';
import type { NodeId } from '../../node/core/message.ts';
import { Outbox } from '../../node/core/outbox.ts';
import { defaultSettings } from '../../node/core/settings.ts';

const index = 9;

/** The leader n9 ends an agent that was deleted, of which it keeps nothing itself. */
class Scene {
  readonly proposed: Draft[] = [];
  readonly endings: Endings;
  readonly #context: Context;

  constructor(holders: NodeId[], out: readonly NodeId[] = []) {
    this.#context = { self: 'n9', settings: defaultSettings, out: new Outbox(), nowMs: 0 } as unknown as Context;
    const decisions = {
      state: { ending: new Map<string, Ending>([['x', { index, holders }]]) },
      isReady: () => true,
      propose: (draft: Draft) => void this.proposed.push(draft),
    };
    const isOut = (node: NodeId): boolean => out.includes(node);
    this.endings = new Endings(this.#context, decisions as unknown as Decisions, {} as Holder, isOut);
    this.pass(0);
  }

  pass(ms: number): void {
    this.#context.nowMs += ms;
    this.endings.tick();
  }

  /** Who is asked to refuse everything of the agent from here on. */
  asked(): NodeId[] {
    return this.#context.out
      .take()
      .flatMap((effect) => (effect.type === 'send' && effect.message.type === 'seal' ? [effect.to] : []));
  }

  sealed(node: NodeId, granted = true, epoch = index): void {
    this.endings.onSealed(node, { agent: 'x', epoch, granted, sealedEpoch: epoch });
  }
}

const gone = { kind: 'agentGone', agent: 'x', index };

describe('a deleted agent', () => {
  test('is gone when a majority of its holders is sealed, so that no host of it acknowledges anything any more', () => {
    const scene = new Scene(['n1', 'n2', 'n3']);
    expect(scene.asked()).toEqual(['n1', 'n2', 'n3']);
    scene.sealed('n1');
    scene.sealed('n1');
    scene.sealed('n2', false);
    scene.sealed('n3', true, index - 1);
    scene.sealed('n4');
    scene.pass(defaultSettings.holderRetryMs);
    expect([scene.asked(), scene.proposed]).toEqual([['n2', 'n3'], []]);
    scene.sealed('n3');
    expect(scene.proposed).toEqual([gone]);
  });

  test('that answered nowhere yet is gone at once', () => {
    expect(new Scene([]).proposed).toEqual([gone]);
  });

  test('whose holders are cut off is gone when a host there must have stopped', () => {
    const scene = new Scene(['n1', 'n2', 'n3'], ['n2', 'n3']);
    scene.pass(defaultSettings.fenceMs - 1);
    expect(scene.proposed).toEqual([]);
    scene.pass(defaultSettings.fenceMs);
    expect(scene.proposed).toEqual([gone]);
  });
});
