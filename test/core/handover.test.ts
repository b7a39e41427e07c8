import { describe, expect, test } from 'vitest';
import type { Context } from '../../node/core/context.ts';
import { Handover } from '../../node/core/handover.ts';
import type { Migration } from '../../node/core/migration.ts';
import { Outbox } from '../../node/core/outbox.ts';
import type { Replication } from '../../node/core/replication.ts';
import { defaultSettings } from '../../node/core/settings.ts';

const since = 9;
const { handoverHoldMs } = defaultSettings;

/** An agent that is to move from here to n2, where what will run it is there. */
class Stage {
  readonly context = { self: 'n1', nowMs: 0, wallMs: 0, settings: defaultSettings, out: new Outbox() } as Context;
  sequence = 5;
  acked = 5;
  isIdle = true;
  isDurable = true;
  readonly said: string[] = [];
  wentOn = 0;
  readonly handover: Handover;

  constructor() {
    const replication = { prepare() {}, pump() {}, ackedBy: () => this.acked, copiedBy: () => 0 };
    this.handover = new Handover({
      ...{ context: this.context, agent: 'a', replication: replication as unknown as Replication },
      newest: () => ({ sequence: this.sequence, bytes: 1 }),
      isIdle: () => this.isIdle,
      task: () => (this.isIdle ? undefined : 'long-1'),
      isDurable: () => this.isDurable,
      goOn: () => void (this.wentOn += 1),
      prepared: ({ reason }) => void this.said.push(reason),
    });
    this.handover.follow({ since, target: 'n2' } as Migration);
  }

  begin(): this {
    this.handover.onPrepared('n2', { agent: 'a', since, bytes: 0, reason: '' });
    return this;
  }

  after(ms: number): void {
    this.context.nowMs += ms;
    this.handover.tick();
  }

  /** Why it went on where it was. */
  reasons(): string[] {
    return this.context.out.take().flatMap((effect) => (effect.type === 'report' ? [effect.report.text] : []));
  }
}

describe('an agent that rests before it is switched over', () => {
  test('goes on after a second when its target does not get the last step, and rests again when it has it', () => {
    const stage = new Stage();
    stage.acked = 4;
    stage.begin();
    expect(stage.handover.holds).toBe(true);
    stage.after(handoverHoldMs - 1);
    expect(stage.handover.holds).toBe(true);
    stage.after(1);
    expect([stage.handover.holds, stage.wentOn, stage.said]).toEqual([false, 1, []]);
    expect(stage.reasons()).toEqual([
      'a goes on where it is, as its target did not get its last steps; it is tried again',
    ]);
    // The path stays lost: it is not asked to rest again and again.
    stage.sequence = 9;
    for (let i = 0; i < 50; i++) stage.after(1_000);
    expect([stage.handover.holds, stage.wentOn]).toEqual([false, 1]);
    stage.acked = 9;
    stage.after(1);
    expect([stage.handover.holds, stage.said]).toEqual([true, ['']]);
  });

  test('goes on as well when its last step is not durable', () => {
    const stage = new Stage();
    stage.isDurable = false;
    stage.begin().after(handoverHoldMs);
    expect([stage.handover.holds, stage.said]).toEqual([false, []]);
  });

  test('rests from the end of the task that it was at', () => {
    const stage = new Stage();
    stage.isIdle = false;
    expect(stage.handover.waitsForTask).toBeUndefined();
    stage.begin().after(10 * handoverHoldMs);
    expect(stage.handover.holds).toBe(true);
    expect(stage.handover.progress()).toMatchObject({ task: 'long-1' });
    stage.isIdle = true;
    stage.after(1);
    stage.after(handoverHoldMs - 1);
    expect([stage.handover.holds, stage.said.length > 0]).toEqual([true, true]);
    stage.after(1);
    expect(stage.handover.holds).toBe(false);
    expect(stage.reasons()).toEqual([
      'a goes on where it is, as nobody said that it is to be switched over; it is tried again',
    ]);
  });
});
