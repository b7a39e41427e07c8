import { expect, test } from 'vitest';
import type { ConclaveError } from '../../node/core/errors.ts';
import { errors, toErrorBody } from '../../node/core/errors.ts';
import type { Operation, Outcome } from '../../node/core/operation.ts';
import { encodeOperation } from '../../node/core/operation-codec.ts';
import { Requests } from '../../node/core/requests.ts';
import { defaultSettings, limits } from '../../node/core/settings.ts';
import type { Asker } from '../../node/core/tasks.ts';

const remove: Operation = { type: 'delete', agent: 'x' };

/** A door that leads, is a member, and meets these refusals, one in each try. */
function doorThatMeets(refusals: ConclaveError[]) {
  const context = { self: 'n1', boot: 1, nowMs: 0, settings: defaultSettings, out: {} };
  const serials: number[] = [];
  const parts = {
    context,
    decisions: { mayLead: () => true, leader: 'n1', state: { sessionOf: () => '7' } },
    peers: { isConnected: () => true },
    operator: {
      perform(_: Operation, { serial }: { serial: number }, done: (outcome: Outcome) => void) {
        serials.push(serial);
        const error = refusals.shift();
        if (error !== undefined) done({ ok: false, error: toErrorBody(error) });
      },
    },
  };
  const requests = new Requests(parts as unknown as ConstructorParameters<typeof Requests>[0]);
  const codes: string[] = [];
  requests.ask(remove, (outcome) => void codes.push(outcome.ok ? 'ok' : outcome.error.code));
  const passUntil = (nowMs: number): void => {
    for (; context.nowMs < nowMs; context.nowMs += 100) requests.tick();
  };
  return { codes, serials, passUntil };
}

const full = errors.backlogFull({ what: 'decisions', max: 1 });

test('a command for which there was no room in its first try has failed', () => {
  expect(doorThatMeets([full]).codes).toEqual(['backlogFull']);
});

test('one for which there was no room in a later try may have taken effect by an earlier one', () => {
  const door = doorThatMeets([errors.leaderUnknown({}), full]);
  door.passUntil(defaultSettings.operationTimeoutMs / 2);
  expect(door.codes).toEqual([]);
  door.passUntil(defaultSettings.operationTimeoutMs + 200);
  expect(door.codes).toEqual(['outcomeUnknown']);
  expect(door.serials.length).toBeGreaterThan(1);
  expect(new Set(door.serials)).toEqual(new Set([1]));
});

test('thousands of tasks with one key, of which the first takes long, keep nothing else from being asked', () => {
  const parts = {
    context: { self: 'n1', boot: 1, nowMs: 0, settings: defaultSettings, out: {} },
    decisions: {
      mayLead: () => true,
      leader: 'n1',
      state: { agents: new Map(['slow', 'idle'].map((id) => [id, {}])) },
    },
    autonomy: { hostOf: () => undefined },
    peers: { isConnected: () => true },
    tasks: {
      ask: (_request: string, { agent, task }: { agent: string; task: string }, asker: Asker) => {
        if (agent === 'idle') asker.done({ ok: true, result: { agent, task, value: new Uint8Array() } });
      },
    },
  };
  const requests = new Requests(parts as unknown as ConstructorParameters<typeof Requests>[0]);
  const codes = new Map<string, number>();
  const ask = (agent: string, task: string): void =>
    requests.ask({ type: 'task', agent, task, payload: new Uint8Array(), ttlMs: 60_000, key: 'one' }, (outcome) => {
      const code = outcome.ok ? 'ok' : outcome.error.code;
      codes.set(`${agent} ${code}`, (codes.get(`${agent} ${code}`) ?? 0) + 1);
    });
  for (let i = 0; i < 5_000; i++) ask('slow', `t${i}`);
  ask('idle', 't');
  expect([...codes]).toEqual([
    ['slow backlogFull', 5_000 - limits.agentEntryMax],
    ['idle ok', 1],
  ]);
});

test('the outcome of a task that another node passed on does not wait for this disk, that of a command does', () => {
  const sent: string[] = [];
  const out = {
    send: (to: string) => void sent.push(`behind writes to ${to}`),
    sendUrgent: (to: string) => void sent.push(`at once to ${to}`),
  };
  const refused: Outcome = { ok: false, error: toErrorBody(full) };
  const parts = {
    context: { self: 'n1', boot: 1, nowMs: 0, settings: defaultSettings, out },
    decisions: { mayLead: () => true, leader: 'n1', state: { agents: new Map([['a', {}]]) } },
    tasks: { ask: (_request: string, _task: Operation, asker: Asker) => asker.done(refused as Outcome<'task'>) },
    operator: { perform: (_command: Operation, _by: unknown, done: (outcome: Outcome) => void) => done(refused) },
  };
  const requests = new Requests(parts as unknown as ConstructorParameters<typeof Requests>[0]);
  const task: Operation = { type: 'task', agent: 'a', task: 't', payload: new Uint8Array(), ttlMs: 1_000 };
  const passOn = (operation: Operation, serial: number): void =>
    requests.onForward('n2', { request: 'r', operation: encodeOperation(operation), session: '7', serial, lowest: 0 });
  passOn(task, 0);
  passOn(remove, 1);
  expect(sent).toEqual(['at once to n2', 'behind writes to n2']);
});

test('two starts of a node that count as one, as its disk lost the first, name what they pass on apart', () => {
  const named: string[] = [];
  for (const start of ['s1', 's2']) {
    const out = { sendUrgent: (_to: string, { body }: { body: { request: string } }) => void named.push(body.request) };
    const parts = {
      context: { self: 'n1', boot: 2, start, nowMs: 0, settings: defaultSettings, out },
      decisions: { mayLead: () => false, leader: 'n2', state: { agents: new Map() } },
      autonomy: { hostOf: () => undefined },
      peers: { isConnected: () => true },
    };
    const requests = new Requests(parts as unknown as ConstructorParameters<typeof Requests>[0]);
    requests.ask({ type: 'task', agent: 'a', task: start, payload: new Uint8Array(), ttlMs: 1_000 }, () => {});
  }
  expect(new Set(named).size).toBe(2);
});

test('a leader says of no agent that it does not exist before a majority confirms that it still leads', () => {
  const reads: ((leads: boolean) => void)[] = [];
  const context = { self: 'n1', boot: 1, nowMs: 0, settings: defaultSettings, out: { cluster: 'c.1' } };
  const parts = {
    context,
    decisions: {
      ...{ mayLead: () => true, leader: 'n1', state: { agents: new Map() } },
      read: (done: (leads: boolean) => void) => void reads.push(done),
    },
    autonomy: { hostOf: () => undefined },
    peers: { isConnected: () => true },
  };
  const requests = new Requests(parts as unknown as ConstructorParameters<typeof Requests>[0]);
  const codes: string[] = [];
  const operation: Operation = { type: 'task', agent: 'a', task: 't', payload: new Uint8Array(), ttlMs: 60_000 };
  requests.ask(operation, (outcome) => void codes.push(outcome.ok ? 'ok' : outcome.error.code));
  const confirm = (leads: boolean): void => reads.splice(0).forEach((done) => void done(leads));
  // Others lead since, and may have created it.
  confirm(false);
  expect(codes).toEqual([]);
  context.nowMs += defaultSettings.retryIntervalMs;
  requests.tick();
  expect([reads.length, codes]).toEqual([1, []]);
  confirm(true);
  expect(codes).toEqual(['agentUnknown']);
});
