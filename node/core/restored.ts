import { readLog, type StoredLog } from './log-records.ts';
import type { TaskResult } from './message.ts';
import { keys, tableOf } from './records.ts';
import type { Settings } from './settings.ts';
import { type StoredParts, StoredState } from './stored-state.ts';
import { fromBytes, fromJson } from './text.ts';
import { BranchRecord, HolderRecord, StateParts, StateStep, TaskResult as TaskResultCodec } from './wire/messages.ts';

/** What a holder's disk has of one agent. */
export interface RestoredHolder {
  record: HolderRecord;
  results: TaskResult[];
  /** Of a state that is not in the record. */
  parts: StoredParts | undefined;
}

/** What a node finds on its disk when it starts. */
export interface Restored {
  boot: number;
  cluster: string;
  pledge: string;
  log: StoredLog;
  holders: Map<string, RestoredHolder>;
  /** By their keys. */
  branches: Map<string, BranchRecord>;
  /** Keys of parts that no state has and of results that no record names: of copies that were not over, or of what came before one. */
  strays: string[];
}

/** Reads what `keys` names. The store has checked every record; a gap in the log still throws, in the Raft module. */
export function restore(records: ReadonlyMap<string, Uint8Array>): Restored {
  const json = <T>(key: string, otherwise: T): T => {
    const bytes = records.get(key);
    return bytes === undefined ? otherwise : (fromJson(fromBytes(bytes)) as T);
  };
  const holders = readHolders(records);
  return {
    boot: json(keys.boot, 0),
    cluster: json(keys.cluster, ''),
    pledge: json(keys.pledge, ''),
    log: readLog(records),
    holders,
    branches: readBranches(records),
    strays: [...strayParts(records), ...strayResults(records, holders)],
  };
}

const holderPrefix = keys.holder('');
const resultPrefix = 'result/';
const stepPrefix = 'state-step/';
const partPrefix = 'state-part/';

/** What is kept of agents. Throws when a part of a state is not there. */
export function readHolders(records: ReadonlyMap<string, Uint8Array>): Map<string, RestoredHolder> {
  const holders = new Map<string, RestoredHolder>();
  // As 'holder/…' sorts before 'result/…' and both before 'state…', what belongs to a holder comes behind it.
  for (const key of [...records.keys()].sort()) {
    const value = records.get(key) as Uint8Array;
    if (key.startsWith(holderPrefix)) {
      const agent = key.slice(holderPrefix.length);
      const parts = partsOf(agent, records);
      holders.set(agent, { record: HolderRecord.decode(value), results: [], parts });
    } else if (key.startsWith(resultPrefix)) {
      const holder = holders.get(agentIn(key, resultPrefix));
      if (holder !== undefined && isNamed(holder, key)) holder.results.push(TaskResultCodec.decode(value));
    } else if (key.startsWith(stepPrefix)) {
      const sequence = Number(key.slice(key.lastIndexOf('/') + 1));
      const { changes } = StateStep.decode(value);
      holders.get(agentIn(key, stepPrefix))?.parts?.steps.push({ sequence, changes });
    }
  }
  return holders;
}

function readBranches(records: ReadonlyMap<string, Uint8Array>): Map<string, BranchRecord> {
  const prefix = keys.branch('');
  const found = [...records].filter(([key]) => key.startsWith(prefix));
  return new Map(found.map(([key, value]) => [key.slice(prefix.length), BranchRecord.decode(value)]));
}

function strayParts(records: ReadonlyMap<string, Uint8Array>): string[] {
  const parts = [...records.keys()].filter((key) => key.startsWith(partPrefix));
  const listed = new Map<string, Set<string>>();
  return parts.filter((key) => {
    const agent = agentIn(key, partPrefix);
    let of = listed.get(agent);
    if (of === undefined) {
      const list = records.get(keys.state(agent));
      const numbers = list === undefined ? [] : StateParts.decode(list).parts;
      listed.set(agent, (of = new Set(numbers.map((part) => keys.statePart(agent, part)))));
    }
    return !of.has(key);
  });
}

const isNamed = ({ record }: RestoredHolder, key: string): boolean => tableOf(key) === (record.table ?? 0);

function strayResults(
  records: ReadonlyMap<string, Uint8Array>,
  holders: ReadonlyMap<string, RestoredHolder>,
): string[] {
  const results = [...records.keys()].filter((key) => key.startsWith(resultPrefix));
  return results.filter((key) => {
    const holder = holders.get(agentIn(key, resultPrefix));
    return holder === undefined || !isNamed(holder, key);
  });
}

/** The state that a disk has of an agent. */
export const stateOnDisk = (agent: string, settings: Settings, { record, parts }: RestoredHolder): StoredState =>
  parts === undefined ? new StoredState(agent, settings, record.state) : StoredState.restored(agent, settings, parts);

const agentIn = (key: string, prefix: string): string => key.slice(prefix.length, key.lastIndexOf('/'));

function partsOf(agent: string, records: ReadonlyMap<string, Uint8Array>): StoredParts | undefined {
  const list = records.get(keys.state(agent));
  if (list === undefined) return undefined;
  const parts = StateParts.decode(list).parts.map((part) => {
    const bytes = records.get(keys.statePart(agent, part));
    if (bytes === undefined) throw new Error(`part ${part} of the state of ${agent} is not on the disk`);
    return { part, bytes };
  });
  return { parts, steps: [] };
}
