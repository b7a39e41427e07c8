import { type Static, Type } from 'typebox';
import { isolations } from '../core/isolation.ts';
import { consistencies } from '../core/operation.ts';
import { taskPattern } from '../core/operation-check.ts';
import { partitions } from '../core/partition.ts';
import { limits } from '../core/settings.ts';
import { taskPriorityDefault } from '../core/tasks.ts';
import { interpreterPattern } from '../core/type-capability.ts';

/** Names of agents, types, tasks and nodes. */
export const idPattern = '^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$';

const Id = Type.String({ pattern: idPattern });
const Capabilities = Type.Array(Type.String({ minLength: 1, maxLength: 128 }), { maxItems: 64 });
export const ttlMsDefault = 30_000;

export const AgentParams = Type.Object({ agent: Id });
export type AgentParams = Static<typeof AgentParams>;

export const TopicsBody = Type.Object({ topics: Type.Array(Id, { maxItems: limits.topicsOfAgentMax }) });
export type TopicsBody = Static<typeof TopicsBody>;

export const ForkParams = Type.Object({ agent: Id, fork: Id });
export type ForkParams = Static<typeof ForkParams>;

export const NodeParams = Type.Object({ node: Id });
export type NodeParams = Static<typeof NodeParams>;

/** Fields that it does not name are ignored: the earlier system's requests carry more. */
export const DeployBody = Type.Object({
  agent_type: Id,
  deployment_strategy: Type.String({ minLength: 1, maxLength: 128, default: 'least_loaded' }),
  name: Type.Optional(Id),
  count: Type.Integer({ minimum: 1, maximum: limits.deployCountMax, default: 1 }),
  capabilities: Type.Optional(Capabilities),
  /** The earlier system's name for `capabilities`. */
  required_capabilities: Type.Optional(Capabilities),
  holders: Type.Integer({ minimum: 1, maximum: limits.holdersMax, default: 3 }),
  topics: Type.Optional(Type.Array(Id, { maxItems: limits.topicsOfAgentMax })),
  source: Type.Optional(Type.String({ minLength: 1 })),
  runtime: Type.Optional(Type.Enum(['worker', 'process', 'container'])),
  interpreter: Type.Optional(Type.String({ pattern: interpreterPattern.source })),
  /** Read by `readContainerSpec`, which names the field that is wrong. */
  container: Type.Optional(Type.Unknown()),
  isolation: Type.Optional(Type.Enum([...isolations])),
  partition: Type.Optional(Type.Enum([...partitions])),
});
export type DeployBody = Static<typeof DeployBody>;

export const TypeParams = Type.Object({ type: Id });
export type TypeParams = Static<typeof TypeParams>;

/** Either code, as a deployment gives it, or the version before. */
export const UpgradeBody = Type.Object({
  source: Type.Optional(Type.String({ minLength: 1 })),
  runtime: Type.Optional(Type.Enum(['worker', 'process', 'container'])),
  interpreter: Type.Optional(Type.String({ pattern: interpreterPattern.source })),
  container: Type.Optional(Type.Unknown()),
  previous: Type.Optional(Type.Boolean()),
  max_failures: Type.Optional(Type.Integer({ minimum: 0, maximum: limits.rolloutFailuresMax })),
  settle_ms: Type.Optional(Type.Integer({ minimum: 1, maximum: limits.settleMsMax })),
});
export type UpgradeBody = Static<typeof UpgradeBody>;

const TtlMs = Type.Integer({ minimum: 1, maximum: limits.taskTtlMsMax, default: ttlMsDefault });

export const TaskBody = Type.Object({
  id: Type.Optional(Id),
  payload: Type.Unknown(),
  ttl_ms: TtlMs,
  priority: Type.Integer({ minimum: 0, maximum: limits.taskPriorityMax, default: taskPriorityDefault }),
  key: Type.Optional(Id),
});
export type TaskBody = Static<typeof TaskBody>;

/** Tasks that agents gave may be looked after, too. */
export const TaskParams = Type.Object({ agent: Id, task: Type.String({ pattern: taskPattern.source }) });
export type TaskParams = Static<typeof TaskParams>;

export const TopicParams = Type.Object({ topic: Id });
export type TopicParams = Static<typeof TopicParams>;

export const RetryBody = Type.Object({ ttl_ms: TtlMs });
export type RetryBody = Static<typeof RetryBody>;

export const MigrateBody = Type.Object({
  target: Type.String({ minLength: 1, maxLength: 128 }),
  wait: Type.Optional(Type.Boolean()),
});
export type MigrateBody = Static<typeof MigrateBody>;

/** The checkpoint is named as it was shown, so that nobody gives up another one. */
export const RecoverBody = Type.Object({
  accept_loss: Type.Literal(true),
  epoch: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
  sequence: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  from: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
});
export type RecoverBody = Static<typeof RecoverBody>;

export const DrainBody = Type.Object({
  deadline_ms: Type.Optional(Type.Integer({ minimum: 1, maximum: limits.drainDeadlineMsMax })),
});
export type DrainBody = Static<typeof DrainBody>;

export const EventsQuery = Type.Object({
  since: Type.Optional(Type.String({ pattern: '^[0-9]{1,15}$' })),
  follow: Type.Optional(Type.Enum(['true', 'false'])),
});
export type EventsQuery = Static<typeof EventsQuery>;

const Index = Type.String({ pattern: '^[0-9]{1,15}$' });
const Consistency = Type.Enum([...consistencies]);

export const KvWriteQuery = Type.Object({ 'if-index': Type.Optional(Index) });
export type KvWriteQuery = Static<typeof KvWriteQuery>;

export const ReadQuery = Type.Object({ consistency: Type.Optional(Consistency) });
export type ReadQuery = Static<typeof ReadQuery>;

export const KvListQuery = Type.Object({
  prefix: Type.Optional(Type.String()),
  after: Type.Optional(Type.String()),
  consistency: Type.Optional(Consistency),
});
export type KvListQuery = Static<typeof KvListQuery>;
