import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentPrograms } from '../../docker/agent-programs.ts';
import { FleetError } from '../../docker/fleet.ts';
import type { ProcessIdentity } from './process-identity.ts';

/** What is kept of a node that runs as a local process, so that it can be found, ended and started again. */
export interface ProcessRecord {
  name: string;
  number: number;
  adminPort: number;
  peerPort: number;
  /** Founding members that it expects; 0 for one that only joins. */
  expect: number;
  /** Peer ports of the nodes that it dials first. */
  join: number[];
  /** What it may run agents in; none: what the environment of `up` says. */
  programs?: AgentPrograms | undefined;
  /** The process that it was last started as. */
  process: ProcessIdentity | undefined;
}

/** The records of a cluster's processes, one file each in `<home>/nodes/<name>/`, beside the node's data and log. */
export class ProcessRecords {
  readonly #directory: string;

  constructor(homeDirectory: string) {
    this.#directory = join(homeDirectory, 'nodes');
  }

  directoryOf(name: string): string {
    return join(this.#directory, name);
  }

  async list(): Promise<ProcessRecord[]> {
    const names = await readdir(this.#directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    const records: ProcessRecord[] = [];
    for (const name of names.filter((each) => /^node-\d+$/.test(each))) {
      const record = await this.#read(name);
      if (record !== undefined) records.push(record);
    }
    return records.sort((a, b) => a.number - b.number);
  }

  async #read(name: string): Promise<ProcessRecord | undefined> {
    const path = join(this.#directory, name, 'process.json');
    try {
      const record = JSON.parse(await readFile(path, 'utf8')) as ProcessRecord;
      const whole = [record.number, record.adminPort, record.peerPort, record.expect].every(Number.isInteger);
      if (whole && record.name === name && Array.isArray(record.join)) return record;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    }
    throw new FleetError(
      `${path} cannot be read, so the process of ${name} is not known. Nothing was changed. ` +
        'End that process yourself if it runs, then remove the file.',
    );
  }

  async write(record: ProcessRecord): Promise<void> {
    const directory = this.directoryOf(record.name);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const path = join(directory, 'process.json');
    await writeFile(`${path}.new`, `${JSON.stringify(record)}\n`, { mode: 0o600 });
    await rename(`${path}.new`, path);
  }

  async remove(name: string): Promise<void> {
    await rm(this.directoryOf(name), { recursive: true, force: true });
  }
}
