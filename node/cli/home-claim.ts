import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FleetError } from '../../docker/fleet.ts';
import type { Home } from './home.ts';
import { lookAtProcess, type ProcessIdentity, stateOfProcess } from './process-identity.ts';

/**
 * Keeps a second `up` or `down` of the same cluster away until the returned function is called. A claim of a process
 * that has ended counts for nothing. Throws `FleetError`.
 */
export async function claimHome(home: Home): Promise<() => Promise<void>> {
  await mkdir(home.directory, { recursive: true, mode: 0o700 });
  const path = join(home.directory, 'claim.json');
  for (let tries = 0; tries < 2; tries++) {
    if (await tryClaim(path)) {
      return async () => {
        await rm(path, { force: true });
        await home.tidy();
      };
    }
    const owner = await readFile(path, 'utf8').then(
      (text) => JSON.parse(text) as ProcessIdentity,
      () => undefined,
    );
    if (owner !== undefined && (await stateOfProcess(owner)) !== undefined) {
      throw new FleetError(
        `Another command (process ${owner.pid}) is bringing this cluster up or down. Nothing was changed. ` +
          'Wait until it is done and try again.',
      );
    }
    await rm(path, { force: true });
  }
  throw new FleetError(`The state directory ${home.directory} is in use. Nothing was changed. Try again in a moment.`);
}

async function tryClaim(path: string): Promise<boolean> {
  const self = await lookAtProcess(process.pid);
  const { pid, started, command } = self ?? { pid: process.pid, started: '', command: '' };
  try {
    const file = await open(path, 'wx', 0o600);
    await file.writeFile(JSON.stringify({ pid, started, command }));
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
