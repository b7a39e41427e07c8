import { expect, test } from 'vitest';
import type { AgentRecord } from '../../node/core/cluster-state.ts';
import type { Context } from '../../node/core/context.ts';
import { LetterSenders } from '../../node/core/letter-senders.ts';
import { defaultSettings } from '../../node/core/settings.ts';

test('what is kept for the letters of an agent goes some time after the agent, and nobody else is taken for gone', () => {
  const context = { nowMs: 0, settings: defaultSettings } as Context;
  const agents = new Map<string, AgentRecord>();
  const state = { agents, index: 20 };
  const add = (id: string, created: number): unknown => agents.set(id, { id, created } as AgentRecord);
  add('a', 7);
  add('b', 12);
  let there = ['a:7', 'a:7.15', 'a:x1:7.4096', 'b:8', 'c:9', 'late:31'];
  const forgotten: string[] = [];
  const letters = {
    senders: () => there,
    forget(sender: string) {
      forgotten.push(sender);
      there = there.filter((each) => each !== sender);
    },
  };
  const instance = { isActive: true, letters } as unknown as Parameters<LetterSenders['tick']>[0][number];
  const resting = { ...instance, isActive: false } as typeof instance;
  const senders = new LetterSenders(context, state);
  const pass = (ms: number, of = instance): void => {
    for (const endMs = context.nowMs + ms; context.nowMs < endMs; context.nowMs += 10_000) senders.tick([of]);
  };
  pass(defaultSettings.sendersGoneMs - 20_000);
  expect(forgotten).toEqual([]);
  pass(200_000, resting);
  expect(forgotten).toEqual([]);
  // Another host begins to count anew.
  pass(2 * defaultSettings.sendersGoneMs);
  expect(forgotten).toEqual(['b:8', 'c:9']);
  agents.delete('a');
  pass(2 * defaultSettings.sendersGoneMs);
  expect(there).toEqual(['late:31']);
});
