import { describe, expect, test } from 'vitest';
import { ClusterState } from '../../node/core/cluster-state.ts';
import { chooseHolders, type Wanted } from '../../node/core/placement.ts';
import { couldBeFurtherApart, Places, whatIsFurtherApart } from '../../node/core/spread.ts';

const agent: Wanted = { id: 'a', type: 't', strategy: 'least_loaded', capabilities: [], holdersWanted: 3 };

/** Nodes by name, each as `site/machine`. */
function stateOf(places: Record<string, string>): ClusterState {
  const state = new ClusterState();
  for (const [node, place] of Object.entries(places)) {
    const [site = '', machine = ''] = place.split('/');
    const profile = { name: node, addresses: [], site, machine, capabilities: [], admin: '', agentsMax: 10 };
    state.members.set(node, { node, boot: 1, start: '1', profile, membership: 'alive', since: 1 });
  }
  return state;
}

const chosen = (state: ClusterState, host: string, wanted: Partial<Wanted> = {}): string =>
  chooseHolders(state, { ...agent, ...wanted }, host, new Map()).join(' ');

describe('holders', () => {
  test('are on other sites first, then on other machines', () => {
    expect(chosen(stateOf({ a1: 'a/1', a2: 'a/1', a3: 'a/2', b1: 'b/3', c1: 'c/4' }), 'a1')).toBe('a1 b1 c1');
    expect(chosen(stateOf({ a1: 'a/1', a2: 'a/1', a3: 'a/2', a4: 'a/2', a5: 'a/3' }), 'a1')).toBe('a1 a3 a5');
    expect(chosen(stateOf({ a1: 'a/1', a2: 'a/1', a3: 'a/2', b1: 'b/3' }), 'a1')).toBe('a1 b1 a3');
  });

  test('of equal distance are those that have the state already', () => {
    const placement = { epoch: 1, host: 'a1', boot: 1, holders: ['a1', 'a4', 'a5'] };
    const state = stateOf({ a1: 'a', a2: 'a', a3: 'a', a4: 'a', a5: 'a' });
    expect(chosen(state, 'a1', { placement, active: placement })).toBe('a1 a4 a5');
    expect(chosen(stateOf({ a1: 'a', a4: 'a', a5: 'a', b1: 'b' }), 'a1', { placement })).toBe('a1 b1 a4');
  });

  test('without the name of a machine are each on one of its own, and the same name on two sites is two machines', () => {
    expect(new Places(stateOf({ n1: 'a', n2: 'a', n3: 'a' }), ['n1', 'n2', 'n3']).spread).toEqual({
      sites: 1,
      machines: 3,
    });
    expect(new Places(stateOf({ n1: 'a/1', n2: 'b/1' }), ['n1', 'n2']).spread).toEqual({ sites: 2, machines: 2 });
  });

  test('are worth changing only for more sites, or as many sites and more machines', () => {
    const state = stateOf({ a1: 'a/1', a2: 'a/1', a3: 'a/2', b1: 'b/3', b2: 'b/4' });
    expect(whatIsFurtherApart(state, ['a1', 'b1'], ['a1', 'a3'])).toBe('sites');
    expect(whatIsFurtherApart(state, ['a1', 'a3'], ['a1', 'a2'])).toBe('machines');
    expect(whatIsFurtherApart(state, ['a1', 'a3', 'a2'], ['a1', 'b1'])).toBeUndefined();
    expect(whatIsFurtherApart(state, ['a1', 'b1', 'a3'], ['a1', 'b1', 'b2'])).toBeUndefined();
    const { spread } = new Places(state, ['a1', 'a2', 'b1']);
    expect(couldBeFurtherApart(spread, { sites: 2, machines: 4 }, 3)).toBe(true);
    expect(couldBeFurtherApart(spread, { sites: 2, machines: 2 }, 3)).toBe(false);
  });
});
