/** Offline recovery of a cluster that lost its majority for good. The built program is one file, dist/recover.mjs. */

export { IdentityDamaged } from '../runtime/identity.ts';
export { StoreBusy, StoreDamaged, StoreFull, StoreOutdated, StoreUnavailable } from '../runtime/store-errors.ts';
export { type Inspected, type Inspection, inspect } from './inspection.ts';
export { RecoverIncomplete, type Recovery, type RecoveryOptions, recover } from './recovery.ts';
export { RecoverRefused, type Survivor } from './survivor.ts';
