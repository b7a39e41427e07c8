import { type Applied, done } from './applied.ts';
import type { ClusterState } from './cluster-state.ts';
import { type ConclaveError, errors } from './errors.ts';
import type { KvCommand, KvDeleteCommand, KvPutCommand } from './kv-command.ts';
import { limits } from './settings.ts';

/** The kind of report that a change of the key-value space makes. It names the key and never carries the value. */
export const kvChanged = 'kvChanged';

/** What a key counts for, beside its value: nothing but its own characters. */
const bytesOf = (key: string, value: Uint8Array): number => key.length + value.byteLength;

/** Applies the commands of the key-value space at their place in the log; pure, as `apply` is. */
export const kvAppliers = {
  kvPut(state: ClusterState, command: KvPutCommand, index: number): Applied {
    const { key, value } = command;
    const known = state.kv.get(key);
    const error = whyNot(state, command) ?? whyNotFit(state, key, value);
    if (error !== undefined) return { ok: false, error };
    state.kvBytes += bytesOf(key, value) - (known === undefined ? 0 : bytesOf(key, known.value));
    // A copy: the command's bytes may be part of a whole message of entries, which it would keep in memory.
    state.kv.set(key, { value: value.slice(), index });
    return done(kvChanged, `${key} set`, { key, bytes: value.byteLength });
  },

  kvDelete(state: ClusterState, command: KvDeleteCommand): Applied {
    const { key } = command;
    const known = state.kv.get(key);
    const error = whyNot(state, command) ?? (known === undefined ? errors.keyUnknown({ key }) : undefined);
    if (known === undefined || error !== undefined) return { ok: false, error: error ?? errors.keyUnknown({ key }) };
    state.kvBytes -= bytesOf(key, known.value);
    state.kv.delete(key);
    return done(kvChanged, `${key} deleted`, { key });
  },
};

/** Whether the key is as the command's conditions want it. */
function whyNot(state: ClusterState, { key, ifIndex }: KvCommand): ConclaveError | undefined {
  const index = state.kv.get(key)?.index ?? 0;
  if (ifIndex !== undefined && ifIndex !== index) return errors.keyChanged({ key, ifIndex, index });
  return undefined;
}

function whyNotFit(state: ClusterState, key: string, value: Uint8Array): ConclaveError | undefined {
  const { kvKeysMax, kvBytesMax, kvValueBytesMax } = limits;
  const known = state.kv.get(key);
  if (value.byteLength > kvValueBytesMax) return errors.bodyTooLarge({ what: 'value', bytesMax: kvValueBytesMax });
  if (known === undefined && state.kv.size >= kvKeysMax) return errors.kvFull({ what: 'keys', max: kvKeysMax });
  const grows = bytesOf(key, value) - (known === undefined ? 0 : bytesOf(key, known.value));
  // What makes it smaller is welcome whatever there is.
  if (grows > 0 && state.kvBytes + grows > kvBytesMax) return errors.kvFull({ what: 'bytes', max: kvBytesMax });
  return undefined;
}
