import { connectEngine } from '../../docker/engine.ts';

/** Whether a Docker engine is in reach: what needs one is skipped by name otherwise. */
export async function hasEngine(): Promise<boolean> {
  return connectEngine().then(
    () => true,
    () => false,
  );
}
