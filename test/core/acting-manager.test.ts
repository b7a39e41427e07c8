import { describe, expect, test } from 'vitest';
import { ActingManager } from '../../node/core/acting-manager.ts';
import { AutonomyBoard } from '../../node/core/autonomy-board.ts';
import { type AgentRecord, ClusterState } from '../../node/core/cluster-state.ts';
import type { Context } from '../../node/core/context.ts';
import { LoadBoard } from '../../node/core/load-board.ts';
import type { MessageOf } from '../../node/core/message.ts';
import { Outbox } from '../../node/core/outbox.ts';
import { defaultSettings } from '../../node/core/settings.ts';

type Told = MessageOf<'autonomy'>;
type Here = Told['branches'][number];

const told = (more: Partial<Told> = {}): Told => ({
  ...{ autonomous: true, forMs: 1_000, index: 50, branches: [], states: [], ...more },
});
const here = (more: Partial<Here> = {}): Here => ({
  ...{ agent: 'a', branch: 'b1', number: 2 ** 30, sequence: 5, runs: false, keepers: ['n2', 'n3'], closed: false },
  ...{ tasks: 1, active: false, numbers: [], baseSequence: 4, ...more },
});
const state = (epoch = 20, sequence = 4) => ({ agent: 'a', epoch, sequence });

/** The acting manager on n1, of a cluster of five nodes in which `a` lives on `host`; it hears what a test says. */
class Stage {
  readonly context = {
    ...{ self: 'n1', nowMs: 1_000, wallMs: 0, settings: defaultSettings, out: new Outbox(), random: () => 0.5 },
  } as unknown as Context;
  readonly state = new ClusterState();
  own = told();
  readonly board = new AutonomyBoard(this.context, () => this.own);
  readonly orders: [string, MessageOf<'branchOrder'>][] = [];
  readonly manager: ActingManager;
  #said = new Map<string, Told>();

  constructor(host = 'n5', partition: 'fenced' | 'autonomous' = 'autonomous') {
    for (const node of ['n1', 'n2', 'n3', 'n4', 'n5']) {
      const profile = { name: node, addresses: [], site: 's', capabilities: [], admin: '', agentsMax: 10 };
      this.state.members.set(node, { node, boot: 1, start: node, profile, membership: 'alive', since: 1 });
    }
    const placement = { epoch: 20, host, boot: 1, holders: [host, 'n2', 'n3'] };
    const agent: AgentRecord = {
      ...{ id: 'a', type: 't', strategy: 'least_loaded', capabilities: [], holdersWanted: 2, created: 10 },
      ...{ placement, active: placement, reason: '', decision: undefined, partition },
    };
    this.state.agents.set('a', agent);
    this.manager = new ActingManager(this.context, this.state, new LoadBoard(this.context), this.board, (node, order) =>
      this.orders.push([node, order]),
    );
  }

  hears(node: string, body: Told | undefined): this {
    if (body === undefined) this.#said.delete(node);
    else this.#said.set(node, body);
    return this;
  }

  /** Lets time pass, in which everybody says it again; returns the orders of that time. */
  after(ms: number): [string, MessageOf<'branchOrder'>][] {
    this.orders.length = 0;
    for (let passed = 0; passed < ms; passed += 50) {
      this.context.nowMs += 50;
      for (const [node, body] of this.#said) this.board.note(node, body);
      this.manager.tick();
    }
    return [...this.orders];
  }
}

describe('the acting manager', () => {
  test('is who knows most of the log, then the lowest id; of those that are heard and hear no majority', () => {
    const { board, context } = new Stage();
    expect(board.actingManager()).toBe('n1');
    board.note('n0', told());
    expect(board.actingManager()).toBe('n0');
    board.note('n9', told({ index: 51 }));
    expect(board.actingManager()).toBe('n9');
    board.note('n9', told({ index: 51, autonomous: false }));
    expect(board.actingManager()).toBe('n0');
    context.nowMs += defaultSettings.autonomySilentMs + 1;
    expect(board.actingManager()).toBe('n1');
  });

  test('waits for what others have to tell, and then begins a branch from the newest state that one has', () => {
    const stage = new Stage();
    stage.hears('n2', told({ states: [state(20, 4)] })).hears('n3', told({ states: [state(20, 6)] }));
    expect(stage.after(2 * defaultSettings.autonomyTellMs - 50)).toEqual([]);
    const [first, ...more] = stage.after(500);
    expect(more).toEqual([]);
    expect(first?.[1]).toMatchObject({ agent: 'a', fresh: true, sources: ['n3'], close: false });
    expect(first?.[1].keepers).toContain(first?.[0]);
    expect(first?.[1].keepers).toHaveLength(2);
    expect(first?.[1].number).toBeGreaterThan(2 ** 30);
  });

  test('prefers the host that the agent has, where that is on its side', () => {
    const stage = new Stage('n3');
    stage.hears('n2', told({ states: [state(20, 9)] })).hears('n3', told({ states: [state(20, 6)] }));
    expect(stage.after(1_000)[0]?.[0]).toBe('n3');
    expect(stage.manager.reasons.get('a')).toBe('its host is on this side');
  });

  test('leaves fenced agents alone, and says of an autonomous one without a state why it does not run', () => {
    const fenced = new Stage('n5', 'fenced').hears('n2', told({ states: [state()] }));
    expect(fenced.after(1_000)).toEqual([]);
    const nothing = new Stage().hears('n2', told());
    expect(nothing.after(1_000)).toEqual([]);
    expect(nothing.manager.reasons.get('a')).toBe('no node of this side keeps its state');
  });

  test('leaves a branch alone that runs with all of its keepers', () => {
    const stage = new Stage();
    stage.hears('n2', told({ branches: [here({ runs: true, active: true }), here()] }));
    stage.hears('n3', told({ branches: [here()] }));
    expect(stage.after(5_000)).toEqual([]);
  });

  test('goes on without a keeper that is silent, at the same host and under a higher number', () => {
    const stage = new Stage().hears('n2', told({ branches: [here({ runs: true, active: true }), here()] }));
    const [first] = stage.after(1_000);
    expect(first).toMatchObject(['n2', { branch: 'b1', fresh: false, sources: ['n2'] }]);
    expect(first?.[1].keepers).not.toContain('n3');
    expect(first?.[1].number).toBeGreaterThanOrEqual(2 ** 31);
  });

  test('goes on elsewhere when the host is silent, from the copies of the highest number', () => {
    const stage = new Stage();
    stage.hears('n3', told({ branches: [here({ number: 2 ** 31 })] })).hears('n4', told({ branches: [here()] }));
    const [first] = stage.after(1_000);
    expect(first?.[1]).toMatchObject({ branch: 'b1', fresh: false, sources: ['n3'] });
  });

  test('goes on without those whose copies went their own way, and stops what runs there', () => {
    const stage = new Stage();
    const apart = here({ number: 2 ** 30 + 7, keepers: ['n2'] });
    const numbers = [2 ** 30];
    const kept = here({ number: 2 ** 31, numbers, keepers: ['n3', 'n5'] });
    // n4 has steps that the branch went on from, n1 has none of its own.
    stage.own = told({ branches: [here({ number: 2 ** 30 + 9, sequence: 4 })] });
    stage.hears('n2', told({ branches: [{ ...apart, runs: true, numbers: [] }, apart] }));
    stage.hears('n3', told({ branches: [kept] })).hears('n4', told({ branches: [here()] }));
    const [first] = stage.after(1_000);
    expect(first?.[1]).toMatchObject({ branch: 'b1', sources: ['n3'], numbers: [2 ** 30, 2 ** 31] });
    expect(first?.[0]).not.toBe('n2');
    expect(first?.[1].keepers).not.toContain('n2');
    expect(first?.[1].keepers).toHaveLength(2);
    const next = here({ number: 2 ** 32, numbers: [2 ** 30, 2 ** 31], keepers: ['n3', 'n4'] });
    stage.hears('n3', told({ branches: [{ ...next, runs: true, active: true, numbers: [] }, next] }));
    stage.hears('n4', told({ branches: [next] }));
    const later = stage.after(200);
    expect(later.length).toBeGreaterThan(0);
    for (const order of later) expect(order).toMatchObject(['n2', { number: 2 ** 32, sources: [], close: false }]);
  });

  test('does not order again at once what has not begun yet, and then under another number', () => {
    const stage = new Stage().hears('n2', told({ states: [state()] }));
    const [first] = stage.after(1_000);
    expect(stage.after(defaultSettings.branchStartMs - 1_000)).toEqual([]);
    const [second] = stage.after(1_000);
    expect(second?.[1].number).toBeGreaterThan(first?.[1].number ?? 0);
  });

  test('does not go on with a branch that is closed, and begins another only after a while', () => {
    const stage = new Stage();
    stage.hears('n2', told({ states: [state()], branches: [here({ runs: true, active: true }), here()] }));
    stage.hears('n3', told({ branches: [here({ closed: true })] }));
    const early = stage.after(1_500);
    expect(early.length).toBeGreaterThan(0);
    for (const [node, order] of early) expect([node, order.close, order.branch]).toEqual(['n2', true, 'b1']);
    stage.hears('n2', told({ states: [state()], branches: [here({ closed: true })] }));
    const later = stage.after(2_000).filter(([, { close }]) => !close);
    expect(later[0]?.[1]).toMatchObject({ fresh: true });
    expect(later[0]?.[1].branch).not.toBe('b1');
  });

  test('goes on with one of two branches that meet, and ends the other', () => {
    const stage = new Stage();
    const other = here({ branch: 'b2', number: 2 ** 31, keepers: ['n4'] });
    stage.hears(
      'n2',
      told({ branches: [here({ runs: true, active: true, keepers: ['n2'] }), here({ keepers: ['n2'] })] }),
    );
    stage.hears('n4', told({ branches: [{ ...other, runs: true, active: true }, other] }));
    const orders = stage.after(1_000);
    expect(orders.length).toBeGreaterThan(0);
    for (const order of orders) expect(order).toMatchObject(['n2', { branch: 'b1', close: true }]);
  });
});
