import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInThisContext } from 'node:vm';
import { describe, expect, test, vi } from 'vitest';
import trading from '../../examples/trading/agent.ts';
import { readModule } from '../../node/cli/deploy.ts';
import { type AgentModuleSettings, agentModule } from '../../sim/agent-module.ts';
import { guarded } from '../../sim/guard.ts';
import type { ProgramContext, Running } from '../../sim/program.ts';
import { Random } from '../../sim/random.ts';
import { readTicks, taskContext } from '../examples/reference.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const bytes = (value: unknown): Uint8Array => encoder.encode(JSON.stringify(value));
const script = (agent: string): string => `var conclaveAgent = { default: ${agent} };`;

let wallMs = Date.UTC(2026, 0, 1);

function contextOf(agent = 'a', seed = 'seed'): ProgramContext {
  const random = new Random(seed);
  return { agent, type: 'counter', epoch: 7, wallMs: () => wallMs, random: () => random.next() };
}

/** Starts an agent whose default export this is. */
const start = (agent: string, state?: Uint8Array, settings: Partial<AgentModuleSettings> = {}): Running =>
  agentModule(script(agent), 'counter', settings).start(contextOf(), state);

function give(running: Running, task: unknown): { ok: boolean; value: unknown; state: string } {
  const { ok, value, state } = running.handle(bytes(task));
  return { ok, value: JSON.parse(decoder.decode(value)), state: decoder.decode(state) };
}

/** A folder for `deploy` with this module in it. */
async function folderWith(module: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'agent-'));
  await writeFile(join(folder, 'agent.js'), module);
  return folder;
}

const counter = `{
  init: (context) => ({ count: 0, ...context }),
  async handle(state, task) {
    state.count += (await Promise.resolve(task)).add;
    if (task.add < 0) throw new Error('only up');
    return { state, result: state.count };
  },
}`;

/** An agent that answers with what its task says, as JavaScript. */
const speaker = `{ init: () => null, handle: async (state, task) => ({ state, result: await (0, eval)(task) }) }`;
const saying = (expression: string): unknown => {
  const { ok, value } = give(start(speaker), expression);
  return ok ? value : (value as { reason: string }).reason;
};

describe('an agent module in the simulated world', () => {
  test.each([
    ['async ', 'await '],
    ['', ''],
  ])('takes tasks, %s or at once', (async, wait) => {
    const running = start(`{
      init: ${async}(context) => ({ count: 0, ...context }),
      ${async}handle(state, task) { state.count += ${wait}task; return { state, result: state.count }; },
    }`);
    expect(JSON.parse(decoder.decode(running.state))).toEqual({ count: 0, agent: 'a', type: 'counter', epoch: 7 });
    expect(give(running, 2)).toMatchObject({ ok: true, value: 2 });
    expect(JSON.parse(give(running, 3).state)).toMatchObject({ count: 5 });
  });

  test('goes on from a checkpoint, and a refused task leaves the state as it was', () => {
    const running = start(counter, bytes({ count: 40 }));
    expect(give(running, { add: -1 })).toEqual({ ok: false, value: { reason: 'only up' }, state: '{"count":40}' });
    expect(give(running, { add: 2 })).toEqual({ ok: true, value: 42, state: '{"count":42}' });
  });

  test('shares with another instance neither the state of its module nor the built-in objects', () => {
    const program = agentModule(
      `var conclaveAgent = (() => { let seen = 0; return { default: {
        init: () => null,
        handle: (state, task) => ({ state, result: [++seen, Array.prototype.mark ?? null, (Array.prototype.mark = task)] }),
      } }; })();`,
      'shared',
    );
    const [one, two] = [program.start(contextOf(), undefined), program.start(contextOf(), undefined)];
    expect(give(one, 'x').value).toEqual([1, null, 'x']);
    expect(give(one, 'y').value).toEqual([2, 'x', 'y']);
    expect(give(two, 'z').value).toEqual([1, null, 'z']);
    expect([]).not.toHaveProperty('mark');
  });

  test('may keep its state in a form of its own, in bytes that are copied on the way out and in', () => {
    const source = `(() => { const buffer = new Uint8Array(1); return {
      init: () => new Map([['n', 1]]),
      handle(state, task) {
        state.set('n', state.get('n') + task);
        if (task < 0) throw new RangeError('no');
        return { state };
      },
      checkpoint(state) { buffer[0] = state.get('n'); return buffer; },
      restore(bytes) { const state = new Map([['n', bytes[0]]]); bytes[0] = 99; return state; },
    }; })()`;
    const running = start(source);
    const first = running.handle(bytes(4));
    const refusals = [running.handle(bytes(-9)), running.handle(bytes(-9))];
    const last = running.handle(bytes(1));
    expect(refusals.map(({ ok }) => ok)).toEqual([false, false]);
    expect([running, first, ...refusals, last].map(({ state }) => state[0])).toEqual([1, 5, 5, 5, 6]);
    expect(start(source, Uint8Array.of(10)).state).toEqual(Uint8Array.of(10));
  });

  test('runs again as it ran before, by the given clock and from the given seed', () => {
    const run = (seed: string): unknown[] => {
      wallMs = Date.UTC(2026, 0, 1);
      const running = agentModule(script(speaker), 'speaker').start(contextOf('a', seed), undefined);
      return Array.from({ length: 3 }, () => {
        wallMs += 1_500;
        return give(
          running,
          `[Date.now(), new Date().toISOString(), Date(), new (class extends Date {})().getTime(), performance.now(),
            new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', timeStyle: 'medium' }).format(), Math.random(),
            crypto.randomUUID(), [...crypto.getRandomValues(new Uint16Array(2))]]`,
        ).value;
      });
    };
    const once = run('one');
    expect(run('one')).toEqual(once);
    expect(run('two')).not.toEqual(once);
    const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
    expect((once[1] as unknown[]).slice(0, 2)).toEqual([1767225603000, '2026-01-01T00:00:03.000Z']);
    expect((once[1] as unknown[]).slice(3, 6)).toEqual([1767225603000, 3000, '00:00:03']);
    expect((once[1] as unknown[])[7]).toMatch(uuid);
    expect((once[1] as unknown[])[2]).toBe(new Date(1767225603000).toString());
  });

  test('runs while the clocks and the chance of the real world are forbidden', () => {
    const said = guarded(() => [saying('Date.now() > 0 && Math.random() < 1'), saying('new Date(5).getTime()')]);
    expect(said).toEqual([true, 5]);
  });

  test('is the bundle of a folder, and ends in the state of direct calls', async () => {
    const { source = '', type } = await readModule('examples/trading', 'iife');
    const running = agentModule(source, type).start(contextOf(), undefined);
    const told = taskContext({ agent: 'a', type: 'counter', epoch: 7 });
    let state = await trading.init(told);
    for (const tick of readTicks().filter((_, at) => at % 20 === 0)) {
      const handled = await trading.handle(state, tick, told);
      state = handled.state;
      expect(give(running, tick)).toEqual({ ok: true, value: handled.result, state: JSON.stringify(state) });
    }
    expect(give(running, { symbol: 'MSFT' })).toMatchObject({ ok: false, state: JSON.stringify(state) });
  });

  test('is a folder in CommonJS, and may look for modules only at its risk', async () => {
    const folder = await folderWith(`module.exports = {
      init: () => 1,
      handle: (state, name) => import(name).then(() => ({ state })),
    };`);
    const { source = '', type } = await readModule(folder, 'iife');
    const running = agentModule(source, type).start(contextOf(), undefined);
    expect(give(running, 'node:fs').value).toEqual({ reason: expect.stringMatching(/no module node:fs\./) });
    await rm(folder, { recursive: true });
  });

  test('cannot be a folder whose module waits while it is loaded', async () => {
    const folder = await folderWith('const one = await 1; export default { init: () => one, handle() {} };');
    expect(await readModule(folder)).toMatchObject({ source: expect.stringMatching(/await/) });
    await expect(readModule(folder, 'iife')).rejects.toThrow(/cannot be bundled as a script: .*Top-level await/s);
    await rm(folder, { recursive: true });
  });

  test('prints to the log, whole values, cut and counted, or to nobody', () => {
    const log = vi.fn<AgentModuleSettings['log']>();
    give(start(speaker, undefined, { log }), `console.log('one', { two: [3] }), console.error('x'.repeat(5_000)), 1`);
    expect(log.mock.calls).toEqual([
      ['a', 'one { two: [ 3 ] }'],
      ['a', 'x'.repeat(2_000)],
    ]);
    give(start(speaker, undefined, { log }), 'for (let at = 0; at < 2_000; at++) console.log(at);');
    expect(log.mock.calls.slice(2)).toHaveLength(1_001);
    expect(log.mock.lastCall).toEqual(['a', '(it printed more than 1000 lines)']);
    expect(saying(`console.table([1]), console.time('x'), 'fine'`)).toBe('fine');
  });
});

describe('what the simulated world has', () => {
  test.each([
    `[...new TextEncoder().encode('é€😀')]`,
    `(() => { const to = new Uint8Array(4); return [new TextEncoder().encodeInto('a€b', to), [...to]]; })()`,
    `new TextDecoder().decode(Uint8Array.of(0xe2, 0x82, 0xac))`,
    `new TextDecoder('utf-16le').decode(Uint8Array.of(65, 0).buffer)`,
    `(() => { const d = new TextDecoder(); return d.decode(Uint8Array.of(0xc3), { stream: true }) + d.decode(Uint8Array.of(0xa9)); })()`,
    `(() => { try { new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.of(0xc3)); } catch (e) { return [e instanceof TypeError, e.code, e.message]; } })()`,
    `[btoa('hi'), atob('aGk=')]`,
    `(() => { try { atob('*'); } catch (e) { return [e instanceof Error, e.name, e.message]; } })()`,
    `(() => { const u = new URL('/b?x=1&y=2#z', 'http://me:pw@host:81/a'); u.port = 82; u.searchParams.append('k', 'v w'); u.hash = ''; return [u, String(u), u.origin, u.searchParams.size]; })()`,
    `(() => { const u = new URL('http://h/?a=1'); const p = u.searchParams; u.search = '?b=2'; return [p.get('b'), p.get('a'), p === u.searchParams]; })()`,
    `[URL.canParse('nope'), URL.parse('x:y').protocol, URL.name, new URL('x:y') instanceof URL]`,
    `(() => { try { new URL('nope'); } catch (e) { return [e instanceof TypeError, e.code, e.message]; } })()`,
    `[...new URLSearchParams({ b: 1, a: 'x y' })]`,
    `(() => { const p = new URLSearchParams([['a', 1], ['a', 2], ['b', 3]]); p.delete('a', '1'); p.sort(); const all = []; p.forEach((v, k) => all.push(k, v)); return [String(p), p.has('b', '4'), p.has('b'), p.getAll('a'), [...p.keys()], [...p.values()], all]; })()`,
    `structuredClone({ a: [1, , { b: null }], c: 'd' })`,
    `(() => { const o = { m: new Map([[1, new Set([2])]]), d: new Date(3), r: /x/gi }; o.o = o; const c = structuredClone(o); return [c !== o, c.o === c, [...c.m.get(1)], +c.d, String(c.r)]; })()`,
    `(() => { const whole = Uint16Array.of(1, 2, 3); const c = structuredClone([whole.subarray(1), whole]); return [c[0][0], c[0].buffer === c[1].buffer, c[0] instanceof Uint16Array]; })()`,
    `(() => { const c = structuredClone(new RangeError('far', { cause: [1] })); return [c instanceof RangeError, c.message, c.cause]; })()`,
    `(() => { try { structuredClone({ f: () => 1 }); } catch (e) { return [e.name, e.message]; } })()`,
    `[typeof fetch, typeof setTimeout, typeof process, process.env.HOME ?? 'none', typeof Buffer]`,
    `[Date.name, Date.length, new Date(5) instanceof Date, new Date(2026, 0).constructor === Date]`,
    `new WeakRef({ a: 1 }).deref().a`,
  ])('says the same as Node to %s', (expression) => {
    const isolated = expression.replace('process.env.HOME', '({}).HOME');
    expect(saying(`JSON.stringify(${expression})`)).toEqual(JSON.stringify(runInThisContext(`(${isolated})`)));
  });

  test.each([
    ['setTimeout(() => {}, 1)', /no setTimeout\. .* task/],
    ['setInterval(() => {}, 1)', /no setInterval/],
    ['setImmediate(() => {})', /no setImmediate/],
    ["fetch('http://example.org')", /no fetch\. .*task bring/],
    ["require('node:fs')", /no module node:fs\. /],
    ['process.exit(1)', /no process\.exit\. /],
    ["Buffer.from('x')", /no Buffer\.from\. Use Uint8Array/],
    ['new AbortController()', /no AbortController/],
    ['crypto.subtle', /no crypto\.subtle/],
    ['Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 9)', /no Atomics\.wait/],
    ['structuredClone(new ArrayBuffer(1), { transfer: [1] })', /no transfer/],
  ])('is not %s, and it says what to do', (expression, why) => {
    expect(saying(expression)).toMatch(why);
  });

  test('leaves no way to the real one through what it throws', () => {
    const real = `[e, e.constructor, Object.getPrototypeOf(e)].some((x) => !(x instanceof Object))`;
    for (const asked of ["new URL('nope')", "atob('*')", "new TextDecoder('x')", 'fetch()']) {
      expect(saying(`(() => { try { ${asked}; } catch (e) { return ${real}; } })()`)).toBe(false);
    }
  });
});

describe('an instance is lost, with the reason,', () => {
  /** It is lost with this task, and with the same words when it is asked again. */
  function expectLost(task: string, why: RegExp): void {
    const running = start(speaker, undefined, { workMsMax: 100 });
    for (const asked of [task, '1']) expect(() => give(running, asked)).toThrow(why);
  }

  test('when its task waits for what never comes', () => {
    expectLost('new Promise(() => {})', /does not answer its task: it waits for something that never comes/);
    expect(() => start('{ init: () => new Promise(() => {}), handle() {} }')).toThrow(/does not start: it waits/);
  });

  test.each([['for (;;);'], ['(async () => { for (;;) await null; })()']])('when its task has no end: %s', (task) => {
    expectLost(task, /ran for 100 ms of real time without an end/);
  });

  test('when its module has no end', () => {
    expect(() => start('(() => { for (;;); })()', undefined, { workMsMax: 100 })).toThrow(/ran for 100 ms/);
  });

  test.each([
    `void Promise.reject(new Error('loose')), 1`,
    `void (async () => { await null; throw new Error('loose'); })(), 1`,
    `queueMicrotask(() => { throw new Error('loose'); }), 1`,
    `void (async () => { await { then(done, failed) { failed(new Error('loose')); } }; })(), 1`,
    `Promise.reject(new Error('loose')).then(() => 1).finally(() => 2), 1`,
    `globalThis.later = Promise.withResolvers(), 1; later.reject(new Error('loose')), 1`,
  ])('after its answer when a promise is rejected that nobody handles: %s', (task) => {
    const running = start(speaker);
    expect(give(running, task)).toMatchObject({ ok: true, value: 1 });
    expect(() => give(running, '2')).toThrow('it threw outside its tasks: loose');
  });

  test('in words also when what was rejected has none, or has no end', () => {
    const reject = (text: string): string => `void Promise.reject({ toString() { ${text} } }), 1`;
    for (const [task, why] of [
      [reject('throw 1'), /cannot be shown as text/],
      [reject('for (;;);'), /without an end/],
    ] as const) {
      const running = start(speaker, undefined, { workMsMax: 100 });
      expect(give(running, task)).toMatchObject({ value: 1 });
      expect(() => give(running, '2')).toThrow(why);
    }
  });

  test('and not when somebody does', () => {
    const running = start(speaker);
    for (const task of [
      `(async () => { try { await Promise.reject(1); } catch { return 1; } })()`,
      `Promise.reject(1).catch(() => 1)`,
      `Promise.allSettled([Promise.reject(1), (async () => { throw 2; })()]).then(() => 1)`,
      `(async () => { const p = Promise.reject(1); await null; await null; try { await p; } catch {} return 1; })()`,
      `Promise.any([Promise.reject(1), 1])`,
      `globalThis.kept = Promise.withResolvers(), kept.promise.catch(() => {}), 1`,
      `kept.reject(1), 1`,
    ]) {
      expect(give(running, task)).toMatchObject({ value: 1 });
    }
  });
});

describe('an agent module that cannot start says why', () => {
  test.each([
    ['var conclaveAgent = {', /^its module cannot be used: Unexpected/],
    ['1', /default export with the functions init and handle/],
    [script('{ init: () => 1 }'), /default export/],
    [script('{ init: () => 1, handle() {}, checkpoint() {} }'), /both checkpoint and restore/],
    [script('{ init() { throw new Error("no desk"); }, handle() {} }'), /^init failed: no desk$/],
    [
      script('{ init: () => new Set(), handle() {} }'),
      /first checkpoint failed: state is not plain JSON: state is a Set/,
    ],
    ['setTimeout(() => {}, 1)', /^its module cannot be used: The simulated world has no setTimeout/],
  ])('%s', (source, why) => {
    const program = agentModule(source, 'bad');
    for (let turn = 0; turn < 2; turn++) expect(() => program.start(contextOf(), undefined)).toThrow(why);
  });

  test('when its state cannot be restored', () => {
    expect(() => start(counter, encoder.encode('{'))).toThrow(/^its state cannot be restored: /);
  });
});
