import { describe, expect, test } from 'vitest';
import type { Context } from '../../node/core/context.ts';
import { Holder } from '../../node/core/holder.ts';
import { Instance } from '../../node/core/instance.ts';
import type { InstanceEvents } from '../../node/core/instance-events.ts';
import { emptyMailbox, encodeMailbox } from '../../node/core/mailbox.ts';
import type { Profile } from '../../node/core/message.ts';
import { Outbox } from '../../node/core/outbox.ts';
import { restore } from '../../node/core/restored.ts';
import { defaultSettings } from '../../node/core/settings.ts';
import { StateBytes } from '../../node/core/state-bytes.ts';

/** An agent that this node takes over from itself: the only holder's seal is on its way to the disk. */
function recovering(planned = false) {
  const out = new Outbox();
  const context: Context = {
    self: 'n1',
    boot: 2,
    start: 's2',
    profile: {} as Profile,
    settings: defaultSettings,
    out,
    random: () => 0.5,
    nowMs: 0,
    wallMs: 0,
  };
  const holder = new Holder(context, restore(new Map()), () => false);
  holder.replicate(
    {
      agent: 'a',
      epoch: 3,
      sequence: 1,
      previousEpoch: 0,
      previousSequence: 0,
      full: true,
      state: encodeMailbox(emptyMailbox),
      changes: [],
      results: [],
      checksum: StateBytes.of(encodeMailbox(emptyMailbox), 1_000).checksum,
      resultsFrom: 0,
    },
    () => {},
  );
  const events: InstanceEvents = {
    copied: () => {},
    relinquish: () => {},
    prepared: () => {},
    fares: () => {},
    answer: () => {},
    progress: () => {},
    resolve: () => [],
    ask: () => {},
    mayAcknowledge: () => true,
  };
  const assignment = {
    agent: 'a',
    agentType: 't',
    source: '',
    created: 1,
    epoch: 5,
    holders: ['n1'],
    previousHolders: ['n1'],
    planned,
  };
  const instance = new Instance(context, holder, assignment, events);
  instance.begin();
  const batches = out.take().flatMap((effect) => (effect.type === 'persist' ? [effect.id] : []));
  const settleDisk = () => {
    for (const id of batches) out.persisted(id);
    return out.take().map(({ type }) => type);
  };
  /** All that is written reaches the disk, with what follows from it. */
  const sync = (): string[] => {
    for (const id of batches.splice(0)) out.persisted(id);
    const effects = out.take();
    for (const effect of effects) if (effect.type === 'persist') batches.push(effect.id);
    return [...effects.map(({ type }) => type), ...(batches.length > 0 ? sync() : [])];
  };
  return { instance, context, holder, out, settleDisk, sync };
}

describe('an instance', () => {
  test('starts when a majority of the holders before it is sealed', () => {
    expect(recovering().settleDisk()).toEqual(['startAgent', 'persist']);
  });

  test('that ended while its seal was on its way to the disk starts nothing any more', () => {
    const { instance, out, settleDisk } = recovering();
    instance.end();
    expect(out.take().map(({ type }) => type)).toEqual(['stopAgent']);
    expect(settleDisk()).toEqual([]);
  });

  test('is started again each time another agent broke it, and not so often when it was its own doing', () => {
    const { instance, context, out, settleDisk } = recovering();
    settleDisk();
    instance.onStarted(new Uint8Array([1]));
    out.take();
    const types = (innocent: boolean) => {
      instance.onFailed('its thread ended', innocent);
      return out.take().map(({ type }) => type);
    };
    for (let at = 0; at < 20; at++) expect(types(true)).toContain('startAgent');
    const own = Array.from({ length: 20 }, () => {
      const atOnce = types(false).includes('startAgent');
      context.nowMs += 30_000;
      instance.tick();
      return atOnce ? 'at once' : out.take().some(({ type }) => type === 'startAgent') ? 'later' : 'never';
    });
    expect(own.slice(0, 5)).toEqual(['at once', 'later', 'later', 'later', 'later']);
    expect(own.slice(5)).not.toContain('later');
  });

  test('that another broke while it started is started again', () => {
    const { instance, out, settleDisk } = recovering();
    settleDisk();
    instance.onFailed('its thread ended', true);
    expect(out.take().map(({ type }) => type)).toContain('startAgent');
  });

  test('that finds out, as it records a failed try, that a later epoch has its holders is not started again', () => {
    const { instance, holder, out, sync } = recovering(true);
    sync();
    instance.onStarted(new Uint8Array([1]));
    sync();
    instance.onActive();
    const task = { task: 't', payload: new Uint8Array(0), deadlineMs: 1_000, origin: 'n1', priority: 5, key: '' };
    instance.submit({ ...task, retry: '', progress: false });
    expect(sync()).toContain('runTask');
    expect(instance.queueDepth).toBe(1);
    holder.seal('a', 7, undefined, () => {});
    sync();
    instance.onFailed('it crashed');
    const types = out.take().map(({ type }) => type);
    expect(types).toContain('stopAgent');
    expect(types).not.toContain('startAgent');
  });

  test('that was deposed is not started again by the news of its failure', () => {
    const { instance, out, settleDisk } = recovering();
    settleDisk();
    instance.depose();
    out.take();
    instance.onFailed('its thread ended');
    expect(out.take()).toEqual([]);
  });
});
