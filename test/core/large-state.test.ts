import { describe, expect, test } from 'vitest';
import type { Effect } from '../../node/core/effect.ts';
import type { Event } from '../../node/core/event.ts';
import { Node } from '../../node/core/node.ts';
import { defaultSettings } from '../../node/core/settings.ts';
import { WholeState } from '../../sim/checkers/anytime-whole-state.ts';
import { awaitSettled } from '../../sim/checkers/eventually-settled.ts';
import type { SimNode } from '../../sim/host.ts';
import type { Answer, Program } from '../../sim/program.ts';
import { World } from '../../sim/world.ts';

const mib = 1024 * 1024;
const stateBytes = 6 * mib;
/**
 * What may come in and go out in one turn: all that a node has asked for, which it then writes, and a piece from a runner.
 * Far less than the state, and not more when that grows.
 */
const turnBytesMax = 2 * defaultSettings.stateFetchBytesMax + 2 * defaultSettings.stateChunkBytes;

/** Results of tasks that the agent has when its state is copied. */
const results = 500;
/** Records that one turn writes or takes off the disk: some results, some parts, and what names them. */
const turnWritesMax = 2 * defaultSettings.resultsChunk + 20;

const ok = (state: Uint8Array): Answer => ({ ok: true, value: new TextEncoder().encode('1'), state });

/** Keeps many bytes of which a task changes one, with `all` every one, or none. */
const large: Program = {
  start(_context, from) {
    let state = from ?? new Uint8Array(stateBytes).map((_, at) => (at * 7919) >> 8);
    return {
      get state() {
        return state;
      },
      handle(payload) {
        const { at } = JSON.parse(new TextDecoder().decode(payload)) as { at: number | 'all' | 'none' };
        if (at === 'none') return ok(state);
        state = at === 'all' ? state.map((byte) => byte ^ 0xff) : state.with(at, 255);
        return ok(state);
      },
    };
  },
};

const sum = (all: readonly Uint8Array[]): number => all.reduce((bytes, { byteLength }) => bytes + byteLength, 0);

/** Bytes of states in what a node is given, and in what it wants: what it copied or looked at in between. */
function bytesIn(events: readonly Event[], effects: readonly Effect[]): number {
  let bytes = 0;
  for (const event of events) {
    if (event.type === 'stateAhead') bytes += event.bytes.byteLength;
    if (event.type === 'agentStarted') bytes += event.state.byteLength;
    if (event.type === 'taskRan' && event.state !== undefined)
      bytes += event.state instanceof Uint8Array ? event.state.byteLength : event.state.inserted.byteLength;
    if (event.type === 'message') bytes += bytesOf(event.message);
  }
  for (const effect of effects) {
    if (effect.type === 'persist') bytes += sum(effect.writes.flatMap(({ value }) => value ?? []));
    if (effect.type === 'send') bytes += bytesOf(effect.message);
    // What stands behind the state goes as it lies there, no byte of it touched.
    if (effect.type === 'startAgent') bytes += effect.state?.byteLength ?? 0;
  }
  return bytes;
}

function bytesOf({ type, body }: Extract<Event, { type: 'message' }>['message']): number {
  if (type === 'replicate') return body.state.byteLength + sum(body.changes.map(({ inserted }) => inserted));
  if (type === 'sealed') return body.checkpoint?.state.byteLength ?? 0;
  return type === 'statePieces' ? sum(body.pieces) : 0;
}

/**
 * How often a turn goes through all parts of a large state, however few bytes of it are met: where a new agent's first
 * state is whole, an agent is to be started from one, one is offered, a copy of one begins, and where it ends.
 */
function listsIn(events: readonly Event[], effects: readonly Effect[], isNew: boolean): string[] {
  const lists = isNew ? ['begun'] : [];
  const has = (type: string) => events.some((event) => event.type === type);
  const hasPieces = events.some((event) => event.type === 'message' && event.message.type === 'statePieces');
  const asked = new Set<number>();
  for (const effect of effects) {
    if (effect.type === 'startAgent' && effect.more !== undefined) lists.push('start');
    if (effect.type === 'send' && effect.message.type === 'stateOffer') lists.push(`offer to ${effect.to}`);
    if (effect.type === 'send' && effect.message.type === 'stateFetch' && !hasPieces && !has('persisted'))
      asked.add(effect.message.body.epoch);
    if (effect.type !== 'persist') continue;
    const keys = effect.writes.filter(({ value }) => value !== undefined).map(({ key }) => key);
    if (keys.some((key) => key.startsWith('state/'))) lists.push('copied');
    else if (keys.some((key) => key.startsWith('state-part/')) && !hasPieces && !has('persisted'))
      lists.push('own copy');
  }
  return [...lists, ...[...asked].map((epoch) => `copy of ${epoch}`)];
}

/** Four nodes and one agent, and the most bytes of its state that any of them met in one turn. */
function begin() {
  const most = { bytes: 0, what: '', lists: [] as string[], starts: 0, writes: 0, kept: 0 };
  const listed = new Set<string>();
  const world: World = new World({
    seed: 'large',
    nodes: 4,
    gatherMsMax: 2,
    programs: { large },
    createNode: (init) => {
      const node = new Node(init);
      let isAhead = false;
      const handleAll: SimNode['handleAll'] = (events, at) => {
        const effects = node.handleAll(events, at);
        const bytes = bytesIn(events, effects);
        isAhead ||= events.some(({ type }) => type === 'stateAhead');
        const isNew = isAhead && events.some(({ type }) => type === 'agentStarted');
        if (isNew) isAhead = false;
        const writes = effects.flatMap((effect) => (effect.type === 'persist' ? effect.writes : []));
        most.writes = Math.max(most.writes, writes.length);
        most.kept += writes.filter(({ key, value }) => key.startsWith('result/') && value !== undefined).length;
        const lists = listsIn(events, effects, isNew);
        for (const list of lists) listed.add(list.replace(/ (to|of) .*/, ''));
        if (lists.length > most.lists.length) most.lists = lists;
        if (effects.some(({ type }) => type === 'startAgent')) most.starts += 1;
        if (bytes > most.bytes) Object.assign(most, { bytes, what: events.map(({ type }) => type).join(' ') });
        return effects;
      };
      return { handle: (event, at) => handleAll([event], at), handleAll };
    },
  });
  world.watch(new WholeState());
  awaitSettled(world, [], 30_000);
  const ask = (operation: Parameters<World['request']>[1]) => {
    const asked = world.request('n1', operation);
    world.runUntil(() => asked.state !== 'waiting', 60_000, operation.type);
    return asked.outcome;
  };
  const operation = (id: string, at: number | 'all' | 'none'): Parameters<World['request']>[1] => ({
    ...{ type: 'task', task: id, agent: 'a', payload: new TextEncoder().encode(JSON.stringify({ at })) },
    ...{ ttlMs: 60_000, priority: 0 },
  });
  const task = (id: string, at: number | 'all') => ask(operation(id, at));
  const fill = (): void => {
    const asked = Array.from({ length: results }, (_, i) => world.request('n1', operation(`filling-${i}`, 'none')));
    world.runUntil(() => asked.every(({ outcome }) => outcome?.ok === true), 60_000, 'many tasks');
  };
  ask({
    ...{ type: 'deploy', agentType: 'large', source: 'it is in the world', name: 'a', count: 1 },
    ...{ strategy: 'round_robin', capabilities: [], holders: 3 },
  });
  world.runUntil(() => task('first', 5)?.ok === true, 60_000, 'the first task');
  const host = () => world.instances().find(({ agent }) => agent === 'a')?.node ?? '';
  return { world, ask, task, fill, host, most, listed };
}

describe('a large state', () => {
  test('is never looked at in one turn: new, changed, all of it changed, moved, recovered, caught up', () => {
    const { world, ask, task, fill, host, most, listed } = begin();
    const met = (): number => {
      const { bytes, what } = most;
      expect(bytes, what).toBeLessThanOrEqual(turnBytesMax);
      most.bytes = 0;
      return bytes;
    };
    world.runFor(3_000);
    expect(met()).toBeGreaterThan(defaultSettings.stateChunkBytes / 2);
    for (const at of [1, 3 * mib, stateBytes - 1]) expect(task(`small-${at}`, at)).toMatchObject({ ok: true });
    world.runFor(2_000);
    // A task that changes a byte costs some parts at most, on every node.
    expect(met()).toBeLessThan(8 * defaultSettings.statePartBytes);
    fill();
    world.runFor(2_000);
    met();
    Object.assign(most, { writes: 0, kept: 0 });

    expect(task('all', 'all')).toMatchObject({ ok: true });
    met();

    const [before, target] = [host(), ['n1', 'n2', 'n3', 'n4'].find((node) => node !== host()) ?? ''];
    expect(ask({ type: 'migrate', agent: 'a', target })).toMatchObject({ ok: true });
    world.runUntil(() => host() === target && task('moved', 9)?.ok === true, 60_000, 'the move');
    expect(host()).not.toBe(before);
    met();

    world.crash(host());
    world.runUntil(
      () => host() !== '' && host() !== target && task('recovered', 9)?.ok === true,
      90_000,
      'the recovery',
    );
    met();
    world.runFor(15_000);
    met();
    expect(most.writes).toBeLessThanOrEqual(turnWritesMax);
    // They were copied to a node that had none, and to those that had to have all parts anew.
    expect(most.kept).toBeGreaterThan(2 * results);
    expect(most.starts).toBeGreaterThanOrEqual(3);
    expect([...listed].sort()).toEqual(['begun', 'copied', 'copy', 'offer', 'own copy', 'start']);
    expect(most.lists.length, most.lists.join(', ')).toBe(1);
  });
});
