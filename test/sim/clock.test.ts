import { describe, expect, test } from 'vitest';
import { Clock } from '../../sim/clock.ts';

const beganMs = Date.UTC(2026, 0, 1);

describe('the monotonic clock of a machine', () => {
  test('begins anywhere and goes at its own rate', () => {
    const clock = new Clock(100, 7_000, 1.1, 0);
    expect(clock.nowMs(100)).toBe(7_000);
    expect(clock.nowMs(1_100)).toBeCloseTo(8_100);
  });

  test('says how long the world must wait until it shows a moment', () => {
    const clock = new Clock(0, 0, 0.5, 0);
    expect(clock.untilMs(100, 0)).toBe(200);
    expect(clock.untilMs(100, 150)).toBe(50);
    expect(clock.untilMs(100, 300)).toBe(0);
    expect(clock.nowMs(200)).toBe(100);
  });

  test('neither jumps nor goes back when its rate changes', () => {
    const clock = new Clock(0, 1_000, 1, 0);
    clock.setRate(2, 500);
    expect(clock.rate).toBe(2);
    expect(clock.nowMs(500)).toBe(1_500);
    expect(clock.nowMs(600)).toBe(1_700);
    clock.setRate(1, 600);
    expect(clock.nowMs(700)).toBe(1_800);
  });

  test('knows nothing of a step of the wall clock', () => {
    const clock = new Clock(0, 1_000, 1, 0);
    clock.step(-3_600_000);
    expect(clock.nowMs(10)).toBe(1_010);
  });

  test('stands still while the machine is suspended, and no time has passed when it goes on', () => {
    const clock = new Clock(0, 0, 2, 0);
    clock.stop(100);
    clock.stop(150);
    expect(clock.nowMs(100)).toBe(200);
    expect(clock.nowMs(5_000)).toBe(200);
    clock.go(5_100);
    clock.go(5_200);
    expect(clock.nowMs(5_100)).toBe(200);
    expect(clock.nowMs(5_110)).toBe(220);
    expect(clock.untilMs(240, 5_110)).toBe(10);
  });

  test('goes on where it stood when its rate changes meanwhile', () => {
    const clock = new Clock(0, 0, 1, 0);
    clock.stop(100);
    clock.setRate(2, 200);
    expect(clock.nowMs(300)).toBe(100);
    clock.go(400);
    expect(clock.nowMs(400)).toBe(100);
    expect(clock.nowMs(410)).toBe(120);
  });
});

describe('the wall clock of a machine', () => {
  test('is off by what it is off, and shows whole milliseconds', () => {
    expect(new Clock(0, 5, 1, -250).wallMs(1_000.4)).toBe(beganMs + 750);
  });

  test('is set forward and back', () => {
    const clock = new Clock(0, 0, 1, 0);
    clock.step(1_000);
    clock.step(-250);
    expect(clock.wallMs(100)).toBe(beganMs + 850);
  });

  test('has gone on when a suspended machine wakes up', () => {
    const clock = new Clock(0, 0, 1, 0);
    clock.stop(100);
    clock.go(5_100);
    expect(clock.wallMs(5_100)).toBe(beganMs + 5_100);
  });

  test('goes at the rate of the machine, without a jump when that changes', () => {
    const clock = new Clock(0, 0, 1, 0);
    clock.setRate(1.2, 1_000_000);
    expect(clock.wallMs(1_000_000)).toBe(beganMs + 1_000_000);
    expect(clock.wallMs(1_001_000)).toBe(beganMs + 1_001_200);
  });
});
