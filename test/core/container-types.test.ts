import { describe, expect, test } from 'vitest';
import { apply } from '../../node/core/apply.ts';
import { ClusterState } from '../../node/core/cluster-state.ts';
import type { Draft } from '../../node/core/command.ts';
import { type ContainerSpec, readContainerSpec, whatIsWrongWithContainer } from '../../node/core/container-spec.ts';
import type { Effect } from '../../node/core/effect.ts';
import type { Event } from '../../node/core/event.ts';
import { Node } from '../../node/core/node.ts';
import type { Operation } from '../../node/core/operation.ts';
import { whatIsWrong } from '../../node/core/operation-check.ts';
import { encodeState, loadState } from '../../node/core/state-snapshot.ts';

const spec: ContainerSpec = { image: 'talk:1', memoryMb: 256, cpus: 1, pids: 64 };

describe('what a manifest says of its container', () => {
  test('is completed: an image is enough', () => {
    expect(readContainerSpec({ image: 'talk:1' })).toEqual(spec);
  });

  test('is taken whole, in one order', () => {
    const whole = {
      ...{ pids: 8, cpus: 0.5, memory_mb: 64, command: ['python3', '/agent.py'], image: 'a.example:5000/b/talk:1.2-x' },
      env: { TZ: 'UTC', AGENT_MODE: 'x' },
    };
    const read = readContainerSpec(whole);
    expect(read).toEqual({
      ...{ image: whole.image, command: whole.command, memoryMb: 64, cpus: 0.5, pids: 8 },
      env: { AGENT_MODE: 'x', TZ: 'UTC' },
    });
    const turned = Object.fromEntries(Object.entries(whole).reverse());
    const other = readContainerSpec({ ...turned, env: { AGENT_MODE: 'x', TZ: 'UTC' } });
    expect(JSON.stringify(other)).toBe(JSON.stringify(read));
  });

  test.each([
    ...['privileged', 'mounts', 'binds', 'volumes', 'devices', 'cap_add', 'network', 'network_mode', 'pid_mode'],
    ...[
      'userns_mode',
      'ipc_mode',
      'security_opt',
      'sysctls',
      'user',
      'ports',
      'gpus',
      'HostConfig',
      'memoryMb',
      'Image',
    ],
    ...['__proto__', 'constructor', 'toString'],
  ])('is refused with the field %s, which it names', (field) => {
    const manifest = JSON.parse(`{"image":"talk:1","${field}":true}`) as unknown;
    expect(readContainerSpec(manifest)).toBe(`${field}: no such field: a container gets nothing of its host`);
    const inner = JSON.parse(`{"image":"talk:1","cpus":1,"pids":64,"${field}":true}`) as unknown;
    expect(whatIsWrongWithContainer(inner)).toMatch(
      field === 'memoryMb' ? /^memory_mb: / : new RegExp(`^${field}: no`),
    );
  });

  test.each<[string, unknown]>([
    ['image', undefined],
    ['image', ''],
    ['image', '../etc'],
    ['image', 'talk:1?x=/../../y'],
    ['image', '/talk'],
    ['image', 'Talk'],
    ['image', 'a/../b'],
    ['image', 'a//b'],
    ['image', 'a:1%2f'],
    ['image', 'talk 1'],
    ['image', 'a'.repeat(119)],
    ['image', 7],
    ['command', 'sh -c x'],
    ['command', []],
    ['command', ['']],
    ['command', ['a', 1]],
    ['command', ['a\0b']],
    ['command', Array.from({ length: 65 }, () => 'a')],
    ['command', ['a'.repeat(65_537)]],
    ['memory_mb', 15],
    ['memory_mb', 4_097],
    ['memory_mb', 64.5],
    ['memory_mb', '64'],
    ['memory_mb', -1],
    ['cpus', 0],
    ['cpus', 17],
    ['cpus', null],
    ['pids', -1],
    ['pids', 0],
    ['pids', 513],
    ['env', ['TZ=UTC']],
    ['env', { PATH: '/x' }],
    ['env', { LD_PRELOAD: '/x' }],
    ['env', { AGENT_API_TOKEN: 'x' }],
    ['env', { AGENT_PASSWORD: 'x' }],
    ['env', { AGENT_X: 7 }],
    ['env', { AGENT_X: 'a\0b' }],
    ['env', { AGENT_X: 'x'.repeat(1_025) }],
    ['env', { 'AGENT_X=y': 'x' }],
    ['env', Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`AGENT_${at}`, '']))],
  ])('is refused when %s is %j', (field, value) => {
    expect(readContainerSpec({ image: 'talk:1', [field]: value })).toMatch(new RegExp(`^${field}: `));
  });

  test.each([null, 'talk:1', [], 7])('is refused when it is %j', (manifest) => {
    expect(readContainerSpec(manifest)).toMatch(/an object with an image/);
    expect(whatIsWrongWithContainer(manifest)).toMatch(/an object with an image/);
  });

  test('takes a digest for the exact image', () => {
    expect(readContainerSpec({ image: `talk@sha256:${'0a'.repeat(32)}` })).toMatchObject({ memoryMb: 256 });
  });
});

const create = (fields: object): Draft =>
  ({
    ...{ kind: 'agentsCreate', agentType: 'talk', source: undefined, base: 'a', count: 1, name: undefined },
    ...{ strategy: 'round_robin', capabilities: ['gpu'], holders: 1, request: undefined, ...fields },
  }) as Draft;

function commit(state: ClusterState, draft: Draft): ReturnType<typeof apply> {
  state.index += 1;
  return apply(state, { ...draft, atMs: 0 }, state.index);
}

/** The effects of a node alone that can run containers of an image, while it is asked to deploy one. */
function deployAlone(): Effect[] {
  const profile = { name: 'n', addresses: [], site: '', capabilities: ['container:talk:1'], admin: '', agentsMax: 1 };
  const node = new Node({
    ...{ id: 'n1', start: 's1', profile, records: new Map(), join: [], expect: 1, random: () => 0.5 },
    at: { nowMs: 0, wallMs: 0 },
  });
  const effects: Effect[] = [];
  let nowMs = 0;
  const handle = (...events: Event[]): void => {
    nowMs += 10;
    const out = node.handleAll(events, { nowMs, wallMs: 0 });
    effects.push(...out);
    const last = out.flatMap((effect) => (effect.type === 'persist' ? [effect.id] : [])).at(-1);
    if (last !== undefined) handle({ type: 'persisted', id: last });
  };
  for (let at = 0; at < 200; at++) handle({ type: 'wake' });
  const operation: Operation = {
    ...{
      type: 'deploy',
      agentType: 'talk',
      container: spec,
      count: 1,
      strategy: 'least_loaded',
      capabilities: [],
      holders: 1,
    },
  };
  handle({ type: 'request', request: 'r1', operation });
  for (let at = 0; at < 50; at++) handle({ type: 'wake' });
  return effects;
}

describe('a type that runs as containers', () => {
  test('is started with its spec', () => {
    const started = deployAlone().filter(({ type }) => type === 'startAgent');
    expect(started).toMatchObject([{ agentType: 'talk', source: '', container: spec, state: undefined }]);
  });

  test('needs nodes that may run the image, also for agents that come without the spec', () => {
    const state = new ClusterState();
    expect(commit(state, create({ container: spec })).ok).toBe(true);
    expect(commit(state, create({ capabilities: [] })).ok).toBe(true);
    expect(state.agents.get('a-1')?.capabilities).toEqual(['gpu', 'container:talk:1']);
    expect(state.agents.get('a-2')?.capabilities).toEqual(['container:talk:1']);
    expect(state.types.get('talk')).toEqual({ type: 'talk', source: '', container: spec, defined: 1 });
  });

  test('stays with its image, and takes other limits', () => {
    const state = new ClusterState();
    commit(state, create({ container: spec }));
    for (const other of [
      { source: 'x()' },
      { source: 'x()', interpreter: 'python3' },
      { container: { ...spec, image: 'talk:2' } },
    ]) {
      expect(commit(state, create(other))).toMatchObject({
        ok: false,
        error: { message: expect.stringMatching(/is run by containers of talk:1/) },
      });
    }
    expect(commit(state, create({ container: { ...spec } })).ok).toBe(true);
    expect(state.types.get('talk')?.defined).toBe(1);
    expect(commit(state, create({ container: { ...spec, memoryMb: 512 } })).ok).toBe(true);
    expect(state.types.get('talk')).toMatchObject({ container: { memoryMb: 512 }, defined: state.index });
  });

  test('cannot be had where the type has another runtime', () => {
    const state = new ClusterState();
    commit(state, create({ source: 'x()' }));
    expect(commit(state, create({ container: spec }))).toMatchObject({
      ok: false,
      error: { message: expect.stringMatching(/is run by worker threads/) },
    });
  });

  test('comes back from a snapshot', () => {
    const state = new ClusterState();
    commit(state, create({ container: spec }));
    const copy = new ClusterState();
    loadState(copy, encodeState(state));
    expect(copy.types.get('talk')?.container).toEqual(spec);
  });

  test('is refused when another node passes on what may not be asked for', () => {
    const operation = {
      ...{ type: 'deploy', agentType: 'talk', count: 1, strategy: 's', capabilities: [], holders: 1 },
      container: spec,
    } as Operation;
    expect(whatIsWrong(operation)).toBeUndefined();
    const hostile = { ...spec, privileged: true };
    expect(whatIsWrong({ ...operation, container: hostile } as Operation)).toMatch(
      /container: privileged: no such field/,
    );
    expect(whatIsWrong({ ...operation, source: 'x()' } as Operation)).toMatch(/container: in place of a source/);
    expect(whatIsWrong({ ...operation, interpreter: 'sh' } as Operation)).toMatch(/interpreter|container/);
    expect(whatIsWrong({ ...operation, container: { image: 'talk:1' } } as unknown as Operation)).toMatch(/memory_mb/);
  });
});
