import { consensus } from './catalog/consensus.ts';
import { harmless } from './catalog/harmless.ts';
import { membership } from './catalog/membership.ts';
import { messaging } from './catalog/messaging.ts';
import { placement } from './catalog/placement.ts';
import { reconciliation } from './catalog/reconciliation.ts';
import { replication } from './catalog/replication.ts';
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

/** All mutants, defects first, by room. */
export const mutants: readonly Mutant[] = [
  ...consensus,
  ...membership,
  ...placement,
  ...replication,
  ...messaging,
  ...reconciliation,
  ...harmless,
];
