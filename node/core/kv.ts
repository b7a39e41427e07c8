import type { Serial } from '../../consensus/sessions.ts';
import type { ClusterState } from './cluster-state.ts';
import type { Decisions } from './decisions.ts';
import { errors, toErrorBody } from './errors.ts';
import type { KvCommand } from './kv-command.ts';
import type { Operation, Outcome } from './operation.ts';
import { limits } from './settings.ts';

type OperationOf<T extends Operation['type']> = Extract<Operation, { type: T }>;
export type KvWrite = OperationOf<'kvPut' | 'kvDelete'>;
export type KvRead = OperationOf<'kvGet' | 'kvList'>;

export const isKvWrite = (operation: Operation): operation is KvWrite =>
  operation.type === 'kvPut' || operation.type === 'kvDelete';

export const isKvRead = (operation: Operation): operation is KvRead =>
  operation.type === 'kvGet' || operation.type === 'kvList';

/** What is said of keys is committed when it is said: no answer has to wait for this node's own disk. */
export const isKv = (operation: Operation): boolean => isKvWrite(operation) || isKvRead(operation);

/** Has the log hold a change of the key-value space; `done` hears of it once it is applied, or cannot be told. */
export function writeKv(decisions: Decisions, operation: KvWrite, by: Serial, done: (outcome: Outcome) => void): void {
  const { key } = operation;
  decisions.propose({ ...commandOf(operation), by }, (result) => {
    if (result.ok) done({ ok: true, result: { key, index: result.index, deleted: operation.type === 'kvDelete' } });
    else if (operation.type === 'kvDelete' && result.error.code === 'keyUnknown') {
      // Whoever wants it gone has what they want.
      done({ ok: true, result: { key, index: 0, deleted: false } });
    } else done(result);
  });
}

function commandOf(operation: KvWrite): KvCommand {
  const { key, ifIndex } = operation;
  const change = { key, ...(ifIndex === undefined ? {} : { ifIndex }) };
  if (operation.type === 'kvDelete') return { kind: 'kvDelete', ...change };
  return { kind: 'kvPut', ...change, value: operation.value };
}

/** What a state says of a key, or of the keys that begin with a prefix. */
export function readKv(state: ClusterState, operation: KvRead): Outcome {
  if (operation.type === 'kvList') return { ok: true, result: listKv(state, operation) };
  const { key } = operation;
  const known = state.kv.get(key);
  if (known === undefined) return { ok: false, error: toErrorBody(errors.keyUnknown({ key })) };
  return { ok: true, result: { key, value: known.value, index: known.index } };
}

/** In the order of their characters, from behind `after`; `next` is where to go on, when there are more. */
function listKv(state: ClusterState, { prefix, after }: OperationOf<'kvList'>) {
  const isMeant = (key: string): boolean => key.startsWith(prefix) && (after === undefined || key > after);
  // Without arguments the order is that of the characters, the same on every machine.
  const found = [...state.kv.keys()].filter(isMeant).sort();
  const shown = found.slice(0, limits.kvListMax);
  const keys = shown.map((key) => {
    const { index, value } = state.kv.get(key) as { index: number; value: Uint8Array };
    return { key, index, bytes: value.byteLength };
  });
  return { keys, ...(found.length > shown.length ? { next: shown.at(-1) as string } : {}) };
}
