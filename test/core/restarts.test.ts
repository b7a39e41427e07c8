import { describe, expect, test } from 'vitest';
import { Restarts } from '../../node/core/restarts.ts';

describe('the starts of an agent that fails', () => {
  test('come at once, then after longer and longer, then no more at this host', () => {
    const restarts = new Restarts();
    const waits = Array.from({ length: 6 }, (_, at) => restarts.failed('it crashed', false, at * 1_000));
    expect(waits).toEqual([0, 100, 200, 400, 800, undefined]);
    expect([restarts.row, restarts.total, restarts.reason]).toEqual([6, 6, 'it crashed']);
  });

  test('wait a while also for the first time, where the version of the code is new', () => {
    const restarts = new Restarts(() => {}, true);
    expect([restarts.failed('it crashed', true, 0), restarts.failed('it crashed', true, 600)]).toEqual([500, 500]);
  });

  test('are due once, when their time has come', () => {
    const restarts = new Restarts();
    restarts.failed('it crashed', false, 0);
    expect(restarts.takeDue(1_000)).toBe(false);
    restarts.failed('it crashed', false, 1_000);
    expect([restarts.waitsMs(1_040), restarts.takeDue(1_099)]).toEqual([60, false]);
    expect([restarts.takeDue(1_100), restarts.takeDue(1_100), restarts.waitsMs(1_100)]).toEqual([true, false, 0]);
  });

  test('hold after 10 s, or after 1 s when a task went well, and begin a new row then', () => {
    const restarts = new Restarts();
    restarts.failed('it crashed', false, 0);
    restarts.failed('it crashed', false, 10);
    restarts.started(200);
    expect([restarts.hasHeld(10_199), restarts.hasHeld(10_200)]).toEqual([false, true]);
    restarts.proven();
    expect([restarts.takeHeld(1_199), restarts.takeHeld(1_200), restarts.takeHeld(1_201)]).toEqual([
      false,
      true,
      false,
    ]);
    expect([restarts.failed('it crashed', false, 1_300), restarts.row, restarts.total]).toEqual([0, 1, 3]);
  });

  test('begin a new row after the first task that goes well, when only tasks were to blame', () => {
    const restarts = new Restarts();
    for (let at = 0; at < 3; at++) restarts.failed('it cannot take this', true, at);
    restarts.proven();
    expect(restarts.row).toBe(0);
    restarts.failed('it cannot take this', true, 10);
    restarts.failed('it crashed', false, 20);
    restarts.proven();
    expect(restarts.row).toBe(2);
  });

  test('that lasted for less than a second prove nothing, whatever they did', () => {
    const restarts = new Restarts();
    for (let at = 0; at < 5; at++) {
      restarts.failed('it crashed', false, at * 900);
      restarts.started(at * 900 + 100);
      restarts.proven();
    }
    expect(restarts.failed('it crashed', false, 4_600)).toBeUndefined();
  });
});
