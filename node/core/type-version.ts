import type { AgentRecord, ClusterState, TypeRecord } from './cluster-state.ts';
import { firstVersion } from './mailbox.ts';
import { limits } from './settings.ts';
import { isSameRuntime, neededCapabilities, runtimeOf } from './type-capability.ts';
import type { TypeCode, TypeVersion } from './version-change.ts';

/** Records of older logs have none: they had one version. */
export const versionOf = ({ version = firstVersion }: { version?: number | undefined }): number => version;

/** The code of a version of a type; undefined when it is not kept any more. */
export function codeOf(type: TypeRecord, version: number): TypeCode | undefined {
  return version === versionOf(type) ? type : type.others?.find((other) => other.version === version);
}

/** The same by name. */
export function codeIn(state: ClusterState, name: string, version: number): TypeCode | undefined {
  const type = state.types.get(name);
  return type && codeOf(type, version);
}

/** The version of the same code that a type has, if it has one. */
export function versionWith(type: TypeRecord, isSame: (code: TypeCode) => boolean): number | undefined {
  if (isSame(type)) return versionOf(type);
  return type.others?.find(isSame)?.version;
}

/** What an agent's node must offer once it runs a version of its type. */
export function capabilitiesAt(type: TypeRecord, agent: AgentRecord, version: number): string[] {
  const [before, after] = [codeOf(type, versionOf(agent)), codeOf(type, version)];
  if (before === undefined || after === undefined || isSameRuntime(before, after)) return agent.capabilities;
  const own = neededCapabilities([], before);
  return neededCapabilities(
    agent.capabilities.filter((capability) => !own.includes(capability)),
    after,
  );
}

export const agentsOf = (state: ClusterState, type: string): AgentRecord[] =>
  [...state.agents.values()].filter((agent) => agent.type === type);

/** Another version is the present one; those that nobody needs any more are dropped. */
export function withPresent(state: ClusterState, type: TypeRecord, version: number, previous?: number): TypeRecord {
  const code = codeOf(type, version);
  if (code === undefined) return type;
  const all: TypeVersion[] = [
    ...(type.others ?? []),
    { version: versionOf(type), source: type.source, ...runtimeOf(type) },
  ];
  const { interpreter: _interpreter, container: _container, ...rest } = type;
  const next = {
    ...rest,
    source: code.source,
    ...runtimeOf(code),
    version,
    ...(previous !== undefined && { previous }),
  };
  return pruned(state, { ...next, others: all.filter((other) => other.version !== version) });
}

/** Without the versions that no agent runs or may need for its state, and that are neither the one before the present one nor in a rollout. */
export function pruned(state: ClusterState, type: TypeRecord): TypeRecord {
  const needed = new Set([type.previous, type.rollout?.from, type.rollout?.to]);
  for (const agent of state.agents.values()) {
    if (agent.type !== type.type) continue;
    needed.add(versionOf(agent));
    needed.add(agent.writtenBy);
    if (agent.upgrade !== undefined) needed.add(agent.upgrade.from);
  }
  const others = type.others?.filter(({ version }) => needed.has(version) && version !== versionOf(type));
  const { others: _, ...rest } = type;
  return others === undefined || others.length === 0 ? rest : { ...rest, others };
}

/** Whether one more version may be kept. */
export const hasRoom = (type: TypeRecord): boolean => (type.others?.length ?? 0) + 1 < limits.versionsOfTypeMax;
