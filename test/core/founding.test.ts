import { describe, expect, test } from 'vitest';
import type { Context } from '../../node/core/context.ts';
import { Founding } from '../../node/core/founding.ts';
import type { NodeId } from '../../node/core/message.ts';
import { Outbox } from '../../node/core/outbox.ts';
import { Peers } from '../../node/core/peers.ts';
import { defaultSettings } from '../../node/core/settings.ts';

const profileOf = (name: string) => ({ name, addresses: [], site: 'a', capabilities: [], admin: '', agentsMax: 1 });

/** A node that founds with two others, or joins who does, and is connected to some; its disk is as fast as a test can be. */
class Founder {
  readonly founded: NodeId[][] = [];
  readonly founding: Founding;
  readonly #context: Context;
  readonly #peers: Peers;

  constructor(self: NodeId, others: NodeId[]) {
    this.#context = {
      ...{ self, boot: 1, start: 's', profile: profileOf(self), settings: defaultSettings, out: new Outbox() },
      ...{ random: () => 0.5, nowMs: 0, wallMs: 0 },
    };
    this.#peers = new Peers(this.#context, [], () => 0);
    this.founding = new Founding(this.#context, this.#peers, 3, '', {
      found: (_cluster, voters) => void this.founded.push(voters),
    });
    for (const node of others) this.meet(node);
    this.effects();
  }

  meet(node: NodeId): void {
    this.#peers.onConnected(node);
    const hello = { boot: 1, profile: profileOf(node), known: [], wants: false, incarnation: 0 };
    this.#peers.onHello(node, '', hello);
  }

  /** What it wants since, once all of it is on disk. */
  effects() {
    const effects = this.#context.out.take();
    for (const effect of effects) if (effect.type === 'persist') this.#context.out.persisted(effect.id);
    return effects;
  }

  /** Asks for the pledges of the others; the number under which it did. */
  ask(): number {
    this.#context.nowMs += defaultSettings.retryIntervalMs;
    this.founding.tick();
    for (const effect of this.effects()) {
      if (effect.type === 'send' && effect.message.type === 'foundAsk') return effect.message.body.round;
    }
    throw new Error('it asks nobody');
  }

  /** Is asked for its pledge; what it answers. */
  askedBy(founder: NodeId): { granted: boolean; pledgedTo: NodeId } | undefined {
    this.founding.onAsk(founder, { round: 1 });
    for (const effect of this.effects()) {
      if (effect.type === 'send' && effect.to === founder && effect.message.type === 'foundPledge') {
        const { granted, pledgedTo } = effect.message.body;
        return { granted, pledgedTo };
      }
    }
    return undefined;
  }
}

describe('a cluster', () => {
  test('is founded by who holds the pledges of all whom it waits for', () => {
    const founder = new Founder('n1', ['n2', 'n3']);
    const round = founder.ask();
    founder.founding.onPledge('n2', { round, granted: true, pledgedTo: 'n1' });
    expect(founder.founded).toEqual([]);
    founder.founding.onPledge('n3', { round, granted: true, pledgedTo: 'n1' });
    expect(founder.founded).toEqual([['n1', 'n2', 'n3']]);
  });

  test('is not founded while one of them is pledged to another founder', () => {
    const founder = new Founder('n1', ['n2', 'n3']);
    for (let tries = 0; tries < 3; tries++) {
      const round = founder.ask();
      founder.founding.onPledge('n2', { round, granted: true, pledgedTo: 'n1' });
      founder.founding.onPledge('n3', { round, granted: false, pledgedTo: 'n0' });
    }
    expect(founder.founded).toEqual([]);
  });
});

describe('a node', () => {
  test('that is pledged to a founder gives its pledge to no other one', () => {
    const node = new Founder('n3', ['n2']);
    expect(node.askedBy('n2')).toEqual({ granted: true, pledgedTo: 'n2' });
    // Lower than the one before: a node without a pledge would give it that.
    node.meet('n1');
    expect(node.askedBy('n1')).toEqual({ granted: false, pledgedTo: 'n2' });
    expect(node.askedBy('n2')).toEqual({ granted: true, pledgedTo: 'n2' });
  });

  test('gives it to another one when the first, which has not founded, lets it go', () => {
    const node = new Founder('n3', ['n2']);
    node.askedBy('n2');
    node.meet('n1');
    node.founding.onRelease('n2', { round: 1 });
    expect(node.askedBy('n1')).toEqual({ granted: true, pledgedTo: 'n1' });
  });
});
