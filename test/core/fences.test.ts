import { describe, expect, test } from 'vitest';
import { apply } from '../../node/core/apply.ts';
import { ClusterState } from '../../node/core/cluster-state.ts';
import type { Draft } from '../../node/core/command.ts';
import type { Context } from '../../node/core/context.ts';
import { Fences } from '../../node/core/fences.ts';
import type { NodeId } from '../../node/core/message.ts';
import { defaultSettings } from '../../node/core/settings.ts';

const decision = { strategy: 'least_loaded', node: undefined, ranked: [], rejected: [] };
const { fenceMs } = defaultSettings;

/** Nodes a, b, c, of which a hosts the agent `x`; placed on b since, where it does not answer. */
class Scene {
  readonly state = new ClusterState();
  readonly asked: NodeId[] = [];
  readonly fences: Fences;
  readonly #clock = { nowMs: 100 };
  index = 0;

  /** Led by c, unless another leads. */
  constructor(self: NodeId = 'c') {
    const out = { sendUrgent: (node: NodeId) => void this.asked.push(node), report: () => {} };
    const context = { self, settings: defaultSettings, out };
    Object.defineProperty(context, 'nowMs', { get: () => this.#clock.nowMs });
    this.fences = new Fences(context as unknown as Context, this.state);
    for (const node of ['a', 'b', 'c']) this.join(node, 1);
    const wanted = {
      source: 's',
      name: 'x',
      base: 'x',
      count: 1,
      strategy: 'least_loaded',
      capabilities: [],
      holders: 2,
    };
    this.apply({ kind: 'agentsCreate', request: undefined, agentType: 't', ...wanted });
    this.place('a', ['a', 'b']);
    this.apply({ kind: 'agentActive', agent: 'x', epoch: this.index });
    this.place('b', ['b', 'c']);
  }

  apply(draft: Draft) {
    this.index += 1;
    this.state.index = this.index;
    return apply(this.state, { ...draft, atMs: 7 }, this.index);
  }

  join(node: NodeId, boot: number): void {
    const profile = { name: node, addresses: [], site: 's', capabilities: [], admin: '', agentsMax: 100 };
    this.apply({ kind: 'memberJoin', node, boot, start: `${node}${boot}`, profile });
  }

  get agent() {
    const agent = this.state.agents.get('x');
    if (agent === undefined) throw new Error('there is no x');
    return agent;
  }

  place(host: NodeId, holders: NodeId[], more: { loss?: number } = {}) {
    const after = this.agent.placement?.epoch ?? 0;
    const named = { agent: 'x', after, host, boot: 1, holders, reason: 'why', decision };
    return this.apply({ kind: 'agentPlace', ...named, ...more });
  }

  recover(after?: number) {
    const { active } = this.agent;
    const step = { active: active?.epoch ?? 0, from: 'b', epoch: active?.epoch ?? 0, sequence: 3 };
    return this.apply({
      ...{ kind: 'agentRecover', agent: 'x', ...step, missing: ['a'], lost: undefined, fenced: true },
      after,
    });
  }

  pass(ms: number): void {
    this.#clock.nowMs += ms;
    this.fences.tick();
  }

  get isOver(): boolean {
    return this.fences.isOver(this.agent);
  }
}

describe('an agent that an operator lets go on', () => {
  test('is not placed before its old host must have stopped, by the clock of this leader since it saw the decision', () => {
    const scene = new Scene();
    expect(scene.isOver).toBe(true);
    scene.pass(60_000);
    scene.recover();
    expect([scene.isOver, scene.fences.of(scene.agent)?.text]).toEqual([
      false,
      'it waits 8 s until a, where it ran, must have stopped, or says so',
    ]);
    scene.pass(fenceMs - 1);
    expect([scene.isOver, scene.fences.of(scene.agent)?.leftMs]).toEqual([false, 1]);
    scene.pass(1);
    expect([scene.isOver, scene.fences.of(scene.agent)]).toEqual([true, undefined]);
  });

  test('is waited for anew by the next leader', () => {
    const scene = new Scene();
    scene.recover();
    scene.pass(fenceMs - 1);
    expect(scene.isOver).toBe(false);
    scene.fences.reset();
    scene.pass(fenceMs - 1);
    expect(scene.isOver).toBe(false);
    scene.pass(fenceMs);
    expect(scene.isOver).toBe(true);
  });

  test('goes on at once when its old host says that it has read the decision, and when nobody else says so', () => {
    const scene = new Scene();
    scene.recover();
    const { index } = scene;
    scene.pass(0);
    scene.pass(600);
    expect(scene.asked).toEqual(['a', 'a']);
    scene.fences.onOver('b', { agent: 'x', index });
    scene.fences.onOver('a', { agent: 'x', index: index - 1 });
    scene.fences.onOver('a', { agent: 'y', index });
    expect(scene.isOver).toBe(false);
    scene.fences.onOver('a', { agent: 'x', index });
    expect(scene.isOver).toBe(true);
  });

  test('goes on at once when its old host has started anew, and when that is the leader', () => {
    const scene = new Scene();
    scene.recover();
    expect(scene.isOver).toBe(false);
    scene.join('a', 2);
    expect(scene.isOver).toBe(true);
    const own = new Scene('a');
    own.recover();
    expect(own.isOver).toBe(true);
  });

  test('waits for every decision about it, and a decision that did not know of the one before is void', () => {
    const scene = new Scene();
    scene.recover();
    const { index } = scene;
    expect(scene.isOver).toBe(false);
    scene.pass(fenceMs);
    expect(scene.recover()).toMatchObject({ ok: false, error: { code: 'agentNotStuck' } });
    expect(scene.isOver).toBe(true);
    expect(scene.recover(index)).toMatchObject({ ok: true });
    expect(scene.isOver).toBe(false);
  });

  test('is not touched by what was decided before: no placement of then is taken up, and no epoch of then begins', () => {
    const scene = new Scene();
    const { placement } = scene.agent;
    scene.recover();
    const { index } = scene;
    expect(scene.place('c', ['c'])).toMatchObject({ ok: false });
    expect(scene.apply({ kind: 'agentActive', agent: 'x', epoch: placement?.epoch ?? 0 })).toMatchObject({ ok: false });
    expect(scene.place('c', ['c'], { loss: index - 1 })).toMatchObject({ ok: false });
    expect(scene.place('c', ['c'], { loss: index })).toMatchObject({ ok: true });
    expect(scene.apply({ kind: 'agentActive', agent: 'x', epoch: scene.index })).toMatchObject({ ok: true });
    expect(scene.agent.active?.holders).toEqual(['c']);
  });
});
