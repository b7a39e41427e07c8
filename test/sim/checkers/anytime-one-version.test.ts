import { expect, test } from 'vitest';
import type { EffectOf } from '../../../node/core/effect.ts';
import { OneVersion } from '../../../sim/checkers/anytime-one-version.ts';
import { Ledger } from '../../../sim/ledger.ts';
import { created, joined, report } from './planted.ts';

type Report = EffectOf<'report'>['report'];

/** Agents a and b of a type, both placed in version 1. */
function watching() {
  const ledger = new Ledger();
  const checker = new OneVersion(ledger);
  let index = 3;
  const tell = (...reports: Report[]): void => {
    for (const one of reports) {
      index = one.index;
      ledger.reported('n1', one);
      checker.reported('n1', one);
    }
  };
  const say = (kind: string, details: object): void => tell(report(index + 1, kind, { type: 'counter', ...details }));
  const place = (agent: string, version?: number): void =>
    say('agentPlaced', { agent, host: 'n1', epoch: index + 1, holders: ['n1'], version });
  const start = (agent: string, version?: number): void => {
    const effect = { agent, agentType: 'counter', epoch: ledger.agents.get(agent)?.placement?.epoch ?? 0, source: '' };
    checker.did('n1', { type: 'startAgent', ...effect, version, state: undefined });
  };
  tell(joined(1, 'n1'), created(2, 'a', 'b'));
  place('a');
  place('b');
  return { say, place, start };
}

const end = (outcome: string, stays: string[] = []) => ({ since: 5, to: 2, outcome, reason: 'why', stays });

test('a rollout that upgrades one agent after the other is right, and so is one that goes back', () => {
  const { say, place, start } = watching();
  start('a');
  say('rolloutBegun', { since: 5, to: 2 });
  for (const agent of ['a', 'b']) {
    place(agent, 2);
    start(agent, 2);
    place(agent);
    start(agent, 2);
    say('rolloutSettled', { agent });
  }
  say('rolloutEnded', end('complete'));
  say('rolloutBegun', { since: 20, to: 3 });
  place('a', 3);
  say('rolloutTurned', {});
  place('a', 2);
  say('rolloutEnded', { ...end('rolledBack'), to: 3 });
});

test('another version than the log placed an agent in is wrong', () => {
  const { say, place, start } = watching();
  expect(() => start('a', 2)).toThrow('n1 starts version 2 of a in epoch 3, which the log placed in version 1');
  say('rolloutBegun', { since: 5, to: 2 });
  place('a', 2);
  expect(() => start('a')).toThrow('which the log placed in version 2');
});

test('two agents at a time are wrong', () => {
  const { say, place } = watching();
  say('rolloutBegun', { since: 5, to: 2 });
  place('a', 2);
  expect(() => place('b', 2)).toThrow('b is upgraded although a has not held yet');
});

test('an end with agents on the wrong version is wrong, and so is one without a reason', () => {
  const upgraded = () => {
    const stage = watching();
    stage.say('rolloutBegun', { since: 5, to: 2 });
    stage.place('a', 2);
    return stage;
  };
  expect(() => upgraded().say('rolloutEnded', end('complete'))).toThrow('ended as complete with b on version 1');
  expect(() => upgraded().say('rolloutEnded', end('rolledBack'))).toThrow('ended as rolledBack with a on version 2');
  expect(() => upgraded().say('rolloutEnded', end('rolledBack', ['a']))).not.toThrow();
  expect(() => upgraded().say('rolloutEnded', { ...end('rolledBack', ['a']), reason: '' })).toThrow('without a reason');
});
