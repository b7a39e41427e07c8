import { autonomy } from './catalog/autonomy.ts';
import { consensus } from './catalog/consensus.ts';
import { harmless } from './catalog/harmless.ts';
import { losses } from './catalog/losses.ts';
import { membership } from './catalog/membership.ts';
import { messaging } from './catalog/messaging.ts';
import { placement } from './catalog/placement.ts';
import { reconciliation } from './catalog/reconciliation.ts';
import { replication } from './catalog/replication.ts';
import { upgrades } from './catalog/upgrades.ts';
import type { Mutant } from './mutant.ts';

/** The program as it is, beside which all mutants are seen: nothing may be flagged in it. */
export const unchanged: Mutant = {
  name: 'unchanged',
  room: 'consensus',
  what: 'The program as it is.',
  file: 'consensus/raft.ts',
  edits: [],
  harmless: true,
};

/**
 * Defects that no swarm has found yet within a few hundred seeds. They are kept by name, so that nobody takes them for
 * covered: each asks for a fault, a workload or a checker that is not there yet.
 */
const escaped: ReadonlySet<string> = new Set([
  'any-tail-kept-behind-a-snapshot',
  'relay-passes-on-what-may-be-taken-back',
  'old-command-passes-for-a-new-one',
  'old-refusal-answers-a-new-request',
  'snapshot-names-proposed-members',
  'figure-eight',
  'leader-decides-before-its-first-entry',
  'pledge-to-every-founder',
  'refusal-counts-as-pledge',
  'voters-let-go-blindly',
  'others-forgotten-on-restart',
  'dead-host-accepted',
  'activation-of-another-epoch',
  'sequence-before-epoch',
  'acknowledges-before-active',
  'dirty-read',
  'old-confirmation-counts',
  'passed-on-twice-done-twice',
  'replaced-leader-denies-agents',
  'deletion-does-not-seal',
  'name-free-too-early',
  'acknowledges-without-a-majority',
  'decision-awaited-for-ever',
  // Found by `test/sim/branch-parts.test.ts`.
  'parts-of-a-branch-confused',
  'found-part-counted-twice',
  // Found by `test/sim/regressions/no-way-back-told-too-late.json`.
  'version-that-wrote-is-dropped',
  // Found by `test/sim/regressions/part-overwritten-by-another.json`.
  'part-of-a-branch-overwritten',
  // Found by `test/sim/rollout.test.ts`.
  'left-on-the-way-back',
  'older-epoch-is-still-heard',
  'goes-on-whatever-the-holders-have',
  // Found by `test/sim/regressions/let-go-by-an-old-log.json`.
  'lets-go-by-an-old-log',
  'loss-waits-since-the-command',
  'decided-before-the-loss-comes-true-after-it',
]);

const all: readonly Mutant[] = [
  ...consensus,
  ...membership,
  ...placement,
  ...replication,
  ...messaging,
  ...reconciliation,
  ...autonomy,
  ...upgrades,
  ...losses,
  ...harmless,
];

/** Those that must be found, and the harmless ones, which must not; defects first, by room. */
export const mutants: readonly Mutant[] = all.filter(({ name }) => !escaped.has(name));

/** Run only when they are named. */
export const escapees: readonly Mutant[] = all.filter(({ name }) => escaped.has(name));
