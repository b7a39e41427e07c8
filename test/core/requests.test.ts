import { expect, test } from 'vitest';
import type { ConclaveError } from '../../node/core/errors.ts';
import { errors, toErrorBody } from '../../node/core/errors.ts';
import type { Operation, Outcome } from '../../node/core/operation.ts';
import { Requests } from '../../node/core/requests.ts';
import { defaultSettings } from '../../node/core/settings.ts';

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
