import { joined } from './bytes.ts';
import type { AgentRecord, ClusterState, Ending, KvRecord, Member, TypeRecord, Voter } from './cluster-state.ts';
import type { Report } from './effect.ts';
import type { NodeId } from './message.ts';
import { fromBytes, fromJson, toBytes, toJson } from './text.ts';

/** What stands before the agents and the values of the key-value space, which follow in the order of their keys here. */
interface Head {
  index: number;
  turn: number;
  sessions: ReturnType<ClusterState['sessions']['encode']>;
  members: [NodeId, Member][];
  ending: [string, Ending][];
  types: [string, TypeRecord][];
  requests: [string, string[]][];
  voters: [NodeId, Voter][];
  voterNote?: ClusterState['voterNote'];
  audit: readonly Report[];
  /** Bytes of each agent's record. */
  agents: number[];
  /** Key, log index of the last change, bytes of the value. */
  kv: [string, number, number][];
}

const lengthBytes = 4;

/**
 * Records as bytes, for as long as they stand. There may be very many agents, few of which change between two snapshots:
 * to encode all of them each time would keep a leader from its heartbeats.
 */
const encoded = new WeakMap<AgentRecord, Uint8Array>();

function encodeAgent(agent: AgentRecord): Uint8Array {
  const known = encoded.get(agent);
  if (known !== undefined) return known;
  const { id, type, strategy, capabilities, holdersWanted, topics, created } = agent;
  const { placement, active, reason, decision, migration, migrationEnd, partition, lineage, branches } = agent;
  const { branchesBelow, crashLoop, version, upgrade, writtenBy, loss, wentOnAt } = agent;
  // In this order, whatever way the record came about: equal states have equal bytes.
  const wanted = { id, type, strategy, capabilities, holdersWanted, topics, created };
  const decided = { placement, active, reason, decision, migration, migrationEnd };
  const apart = { partition, lineage, branches, branchesBelow };
  const fields = { ...wanted, ...decided, ...apart, crashLoop, version, upgrade, writtenBy, loss, wentOnAt };
  const bytes = toBytes(JSON.stringify(fields));
  encoded.set(agent, bytes);
  return bytes;
}

/** The whole state as bytes for a snapshot: the length of the head, the head as JSON, the agents, the values of the keys. */
export function encodeState(state: ClusterState): Uint8Array {
  const { index, turn, members, ending, types, requests, sessions, voters, voterNote, audit, kv } = state;
  const agents = [...state.agents.values()].map(encodeAgent);
  const head: Head = {
    index,
    turn,
    sessions: sessions.encode(),
    members: [...members],
    ending: [...ending],
    types: [...types],
    requests: [...requests],
    voters: [...voters],
    voterNote,
    audit: audit.reports,
    agents: agents.map(({ byteLength }) => byteLength),
    kv: [...kv].map(([key, record]) => [key, record.index, record.value.byteLength]),
  };
  const json = toBytes(toJson(head));
  const length = new Uint8Array(lengthBytes);
  new DataView(length.buffer).setUint32(0, json.byteLength);
  return joined([length, json, ...agents, ...[...kv.values()].map(({ value }) => value)]);
}

/** Makes a state what `encodeState` was given. Throws on bytes that it did not make. */
export function loadState(state: ClusterState, bytes: Uint8Array): void {
  const headBytes = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0);
  const head = fromJson(fromBytes(bytes.subarray(lengthBytes, lengthBytes + headBytes))) as Head;
  state.index = head.index;
  state.turn = head.turn;
  state.sessions.load(head.sessions);
  fill(state.members, head.members);
  fill(state.ending, head.ending);
  fill(state.types, head.types);
  fill(state.requests, head.requests);
  fill(state.voters, head.voters);
  state.voterNote = head.voterNote;
  state.audit.load(head.audit);
  let at = lengthBytes + headBytes;
  const next = (length: number): Uint8Array => {
    at += length;
    return bytes.slice(at - length, at);
  };
  const agents = head.agents.map((length) => decodeAgent(next(length)));
  fill(
    state.agents,
    agents.map((agent) => [agent.id, agent]),
  );
  const records = head.kv.map(([key, index, length]): [string, KvRecord] => [key, { value: next(length), index }]);
  fill(state.kv, records);
  state.kvBytes = records.reduce((sum, [key, { value }]) => sum + key.length + value.byteLength, 0);
}

function decodeAgent(bytes: Uint8Array): AgentRecord {
  const agent = JSON.parse(fromBytes(bytes)) as AgentRecord;
  encoded.set(agent, bytes);
  return agent;
}

function fill<V>(map: Map<string, V>, entries: readonly [string, V][]): void {
  map.clear();
  for (const [key, value] of entries) map.set(key, value);
}
