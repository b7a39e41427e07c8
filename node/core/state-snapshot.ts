import type { AgentRecord, ClusterState, Ending, KvRecord, Member, TypeRecord, Voter } from './cluster-state.ts';
import type { NodeId } from './message.ts';
import { fromBytes, fromJson, toBytes, toJson } from './text.ts';

/** What stands before the values of the key-value space, which follow as they are, in the order of the keys here. */
interface Head {
  index: number;
  turn: number;
  sessions: ReturnType<ClusterState['sessions']['encode']>;
  members: [NodeId, Member][];
  agents: [string, AgentRecord][];
  ending: [string, Ending][];
  types: [string, TypeRecord][];
  requests: [string, string[]][];
  voters: [NodeId, Voter][];
  voterNote?: ClusterState['voterNote'];
  /** Key, log index of the last change, bytes of the value. */
  kv: [string, number, number][];
}

const lengthBytes = 4;

/** The whole state as bytes for a snapshot: the length of the head, the head as JSON, and the values of the keys. */
export function encodeState(state: ClusterState): Uint8Array {
  const { index, turn, members, agents, ending, types, requests, sessions, voters, voterNote, kv } = state;
  const head: Head = {
    index,
    turn,
    sessions: sessions.encode(),
    members: [...members],
    agents: [...agents],
    ending: [...ending],
    types: [...types],
    requests: [...requests],
    voters: [...voters],
    voterNote,
    kv: [...kv].map(([key, record]) => [key, record.index, record.value.byteLength]),
  };
  const json = toBytes(toJson(head));
  const values = [...kv.values()].reduce((sum, { value }) => sum + value.byteLength, 0);
  const bytes = new Uint8Array(lengthBytes + json.byteLength + values);
  new DataView(bytes.buffer).setUint32(0, json.byteLength);
  bytes.set(json, lengthBytes);
  let at = lengthBytes + json.byteLength;
  for (const { value } of kv.values()) {
    bytes.set(value, at);
    at += value.byteLength;
  }
  return bytes;
}

/** Makes a state what `encodeState` was given. Throws on bytes that it did not make. */
export function loadState(state: ClusterState, bytes: Uint8Array): void {
  const headBytes = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0);
  const head = fromJson(fromBytes(bytes.subarray(lengthBytes, lengthBytes + headBytes))) as Head;
  state.index = head.index;
  state.turn = head.turn;
  state.sessions.load(head.sessions);
  fill(state.members, head.members);
  fill(state.agents, head.agents);
  fill(state.ending, head.ending);
  fill(state.types, head.types);
  fill(state.requests, head.requests);
  fill(state.voters, head.voters);
  state.voterNote = head.voterNote;
  let at = lengthBytes + headBytes;
  const records = head.kv.map(([key, index, length]): [string, KvRecord] => {
    const value = bytes.slice(at, at + length);
    at += length;
    return [key, { value, index }];
  });
  fill(state.kv, records);
  state.kvBytes = records.reduce((sum, [key, { value }]) => sum + key.length + value.byteLength, 0);
}

function fill<V>(map: Map<string, V>, entries: readonly [string, V][]): void {
  map.clear();
  for (const [key, value] of entries) map.set(key, value);
}
