import { expect, test } from 'vitest';
import type { BranchEnd, BranchEntry } from '../../node/core/branch.ts';
import type { KeptBranch } from '../../node/core/branch-store.ts';
import type { AgentRecord } from '../../node/core/cluster-state.ts';
import { askFork, keeperOf } from '../../node/core/forks.ts';
import type { Operation, Outcome } from '../../node/core/operation.ts';

const asked = { type: 'fork', agent: 'a', fork: 'b1', number: 7 } satisfies Operation;

/** What a log says of a branch of `a`. */
function agentsWith(outcome: BranchEnd['outcome'] | undefined): Map<string, AgentRecord> {
  const end = outcome && { outcome, reason: '', steps: 0, index: 9 };
  const base = { epoch: 1, sequence: 1, checksum: 1 };
  const times = { sinceMs: 1, untilMs: 2, sequence: 2, tasks: 1 };
  const branch: BranchEntry = { id: 'b1', number: 7, base, host: 'n2', keepers: ['n2', 'n3'], ...times, end };
  return new Map([['a', { id: 'a', branches: [branch] } as unknown as AgentRecord]]);
}

/** A node that keeps nothing of the fork, and leads or not. */
function node(agents: Map<string, AgentRecord>, mayLead: boolean, ...connected: string[]) {
  const reads: ((leads: boolean) => void)[] = [];
  const state = { agents };
  const decisions = { state, mayLead: () => mayLead, read: (done: (leads: boolean) => void) => void reads.push(done) };
  const codes: string[] = [];
  const store = { get: () => undefined, copy: () => undefined };
  const isConnected = (node: string) => connected.includes(node);
  askFork(
    decisions as unknown as Parameters<typeof askFork>[0],
    store,
    isConnected,
    asked,
    (outcome: Outcome) => void codes.push(outcome.ok ? 'ok' : outcome.error.code),
  );
  return { codes, reads };
}

test.each([
  ['has not heard of its end', agentsWith(undefined)],
  ['has not heard of its agent', new Map<string, AgentRecord>()],
])('one that %s does not say that there is no fork', (_what, agents) => {
  expect(node(agents, false).codes).toEqual(['agentNotReady']);
});

test('the leader says so once it knows that it leads', () => {
  const { codes, reads } = node(agentsWith('merged'), true);
  expect(codes).toEqual([]);
  reads[0]?.(true);
  expect(codes).toEqual(['forkUnknown']);
  const deposed = node(new Map(), true);
  deposed.reads[0]?.(false);
  expect(deposed.codes).toEqual(['agentNotReady']);
});

test('a fork that the log has and this node does not keep is out of its reach', () => {
  expect(node(agentsWith('forked'), false).codes).toEqual(['forkOutOfReach']);
});

test('and is not called so by a leader to which one of its keepers is connected', () => {
  expect(node(agentsWith('forked'), true, 'n3').codes).toEqual(['agentNotReady']);
  expect(node(agentsWith('forked'), true, 'n4').codes).toEqual(['forkOutOfReach']);
});

test('who can tell is a keeper in reach, and nobody where the log has no such fork yet', () => {
  const none = { get: () => undefined };
  const reach = (...nodes: string[]) => ({ self: 'n1', isConnected: (node: string) => nodes.includes(node) });
  const forked = { agents: agentsWith('forked') };
  expect(keeperOf(forked, none, reach('n3'), asked, 0)).toBe('n3');
  expect(keeperOf(forked, none, reach(), asked, 0)).toBe('n1');
  const keeps = (number: number) => ({ get: () => ({ number }) as KeptBranch });
  expect(keeperOf(forked, keeps(7), reach('n3'), asked, 0)).toBe('n1');
  // What it keeps is of another number.
  expect(keeperOf(forked, keeps(8), reach('n3'), asked, 0)).toBe('n3');
  // One of them may do so, too.
  expect([0, 1, 2].map((tries) => keeperOf(forked, none, reach('n2', 'n3'), asked, tries))).toEqual(['n2', 'n3', 'n2']);
  expect(keeperOf({ agents: agentsWith(undefined) }, none, reach('n3'), asked, 0)).toBeUndefined();
  expect(keeperOf(forked, none, reach('n3'), { ...asked, number: 8 }, 0)).toBeUndefined();
});
