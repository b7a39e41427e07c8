import type { Write } from '../../node/core/effect.ts';
import type { NodeId } from '../../node/core/message.ts';
import { keys, tableOf } from '../../node/core/records.ts';
import { TaskResult } from '../../node/core/wire/messages.ts';
import { holderOf } from './written.ts';

const holderPrefix = keys.holder('');
const resultPrefix = keys.result('', 0).slice(0, 'result/'.length);

interface OnDisk<T> {
  epoch: number;
  table: number;
  /** By table and record. */
  tables: Map<number, Map<string, T>>;
}

/** What the results of agents on disks say, from when a record of their holder makes them those of its step. */
export class ResultsOnDisk<T> {
  readonly #read: (result: TaskResult) => T | undefined;
  readonly #disks = new Map<string, OnDisk<T>>();

  /** `read`: undefined for what is of no interest. */
  constructor(read: (result: TaskResult) => T | undefined) {
    this.#read = read;
  }

  /** Calls `kept` with what became that of an epoch by these writes. */
  durable(
    node: NodeId,
    writes: readonly Write[],
    kept: (agent: string, epoch: number, said: Iterable<T>) => void,
  ): void {
    let added: T[] = [];
    for (const { key, value } of writes) {
      if (key.startsWith(resultPrefix)) {
        const rows = rowsOf(this.#of(node, key.slice(resultPrefix.length, key.lastIndexOf('/'))), tableOf(key));
        const said = value === undefined ? undefined : this.#read(TaskResult.decode(value));
        if (said === undefined) rows.delete(key);
        else {
          rows.set(key, said);
          added.push(said);
        }
      } else if (key.startsWith(holderPrefix) && value !== undefined) {
        // The record of a step stands behind its results, in the same batch. One of another epoch takes all along, and one
        // that names another table what came there before.
        const agent = key.slice(holderPrefix.length);
        const there = this.#of(node, agent);
        const { epoch, table = 0 } = holderOf(value);
        const isSame = there.epoch === epoch && there.table === table;
        kept(agent, epoch, isSame ? added : rowsOf(there, table).values());
        there.epoch = epoch;
        there.table = table;
        added = [];
      }
    }
  }

  #of(node: NodeId, agent: string): OnDisk<T> {
    const name = `${node} ${agent}`;
    let known = this.#disks.get(name);
    if (known === undefined) this.#disks.set(name, (known = { epoch: 0, table: 0, tables: new Map() }));
    return known;
  }
}

function rowsOf<T>({ tables }: OnDisk<T>, table: number): Map<string, T> {
  let rows = tables.get(table);
  if (rows === undefined) tables.set(table, (rows = new Map()));
  return rows;
}
