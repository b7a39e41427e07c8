import { whatIsWrongWithContainer } from './container-spec.ts';
import { type Isolation, isolations } from './isolation.ts';
import type { MessageOf } from './message.ts';
import { type Consistency, consistencies, type Operation, type OperationType } from './operation.ts';
import { decodeOperation } from './operation-codec.ts';
import { type Partition, partitions } from './partition.ts';
import { limits } from './settings.ts';
import { interpreterPattern } from './type-capability.ts';

type Checked = { ok: true; operation: Operation } | { ok: false; reason: string };
type Fields = Record<string, unknown>;

export const idPattern = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;
/** With `~` those that agents give: users cannot take them. */
export const taskPattern = /^(?:[A-Za-z0-9][A-Za-z0-9._:-]{0,127}|~[A-Za-z0-9._:-]{1,255})$/;
const isTask = (value: unknown): boolean => typeof value === 'string' && taskPattern.test(value);
const isId = (value: unknown): boolean => typeof value === 'string' && idPattern.test(value);
/** Never a path: each node's operator says which file stands behind a name. */
const isInterpreter = (value: unknown): boolean => typeof value === 'string' && interpreterPattern.test(value);
const isIsolation = (value: unknown): boolean => isolations.includes(value as Isolation);
const isText = (value: unknown, lengthMax: number): boolean => typeof value === 'string' && value.length <= lengthMax;
const isCount = (value: unknown, max: number): boolean =>
  Number.isInteger(value) && Number(value) >= 1 && Number(value) <= max;
const isPriority = (value: unknown): boolean =>
  Number.isInteger(value) && Number(value) >= 0 && Number(value) <= limits.taskPriorityMax;
const isFlag = (value: unknown): boolean => value === undefined || typeof value === 'boolean';
const isTopics = (value: unknown): boolean =>
  Array.isArray(value) && value.length <= limits.topicsOfAgentMax && value.every(isId);
const isTtl = (value: unknown): boolean => isCount(value, limits.taskTtlMsMax);

const kvKeyPattern = /^[A-Za-z0-9_][A-Za-z0-9._:-]*(?:\/[A-Za-z0-9_][A-Za-z0-9._:-]*)*$/;
/** Parts divided by slashes. None is empty or begins with a dot: what carries URLs would change such a one on the way. */
const isKvKey = (value: unknown): boolean => isText(value, limits.kvKeyLengthMax) && kvKeyPattern.test(String(value));
const kvKeyRule =
  `key: 1 to ${limits.kvKeyLengthMax} letters, digits and "._:-/", ` +
  'of which each part between slashes begins with a letter, a digit or "_"';
const isIndex = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
const isConsistency = (value: unknown): boolean => consistencies.includes(value as Consistency);

const checkKvWrite = (f: Fields): string | undefined => {
  if (!isKvKey(f.key)) return kvKeyRule;
  return f.ifIndex === undefined || isIndex(f.ifIndex) ? undefined : 'index';
};

function checkConsistency(f: Fields): string | undefined {
  return f.consistency === undefined || isConsistency(f.consistency) ? undefined : 'consistency';
}

function checkRead(f: Fields): string | undefined {
  if (!isId(f.agent)) return 'agent';
  return isTtl(f.ttlMs) ? undefined : 'ttl';
}

function checkFork(f: Fields): string | undefined {
  if (!isId(f.agent)) return 'agent';
  return isId(f.fork) && isIndex(f.number) ? undefined : 'fork';
}

function whatIsWrongWithRun({ container, source, interpreter }: Fields): string | undefined {
  if (container === undefined) return undefined;
  if (source !== undefined || interpreter !== undefined) return 'container: in place of a source, not beside one';
  const wrong = whatIsWrongWithContainer(container);
  return wrong === undefined ? undefined : `container: ${wrong}`;
}

function whatIsWrongWithCode(f: Fields): string | undefined {
  if (f.source !== undefined && !isText(f.source, limits.sourceBytesMax))
    return `source: at most ${limits.sourceBytesMax} bytes`;
  if (f.interpreter !== undefined && !(isInterpreter(f.interpreter) && f.source !== undefined)) {
    return 'interpreter: the name of a program, beside the source that it runs';
  }
  return whatIsWrongWithRun(f);
}

/** Each says which field is wrong, or nothing. */
const checks: { [T in OperationType]: (fields: Fields) => string | undefined } = {
  status: checkConsistency,
  nodes: checkConsistency,
  agents: checkConsistency,
  agent: (f) => (isId(f.agent) ? checkConsistency(f) : 'agent'),
  deploy: (f) => {
    if (!isId(f.agentType)) return 'agent type';
    if (f.request !== undefined && !isText(f.request, 256)) return 'request';
    const code = whatIsWrongWithCode(f);
    if (code !== undefined) return code;
    const isThread = f.interpreter === undefined && f.container === undefined;
    if (f.isolation !== undefined && !(isIsolation(f.isolation) && isThread)) {
      return `isolation: ${isolations.join(' or ')}, of a module for worker threads`;
    }
    if (!isFlag(f.builtin)) return 'builtin';
    if (f.name !== undefined && !isId(f.name)) return 'name';
    if (!isCount(f.count, limits.deployCountMax)) return `count: 1 to ${limits.deployCountMax}`;
    if (!isText(f.strategy, 128)) return 'strategy';
    if (!isCount(f.holders, limits.holdersMax)) return `holders: 1 to ${limits.holdersMax}`;
    if (f.topics !== undefined && !isTopics(f.topics)) return `topics: at most ${limits.topicsOfAgentMax} names`;
    if (f.partition !== undefined && !partitions.includes(f.partition as Partition))
      return `partition: ${partitions.join(' or ')}`;
    const listed = Array.isArray(f.capabilities) && f.capabilities.length <= 64;
    return listed && (f.capabilities as unknown[]).every((c) => isText(c, 128))
      ? undefined
      : 'capabilities: at most 64';
  },
  upgrade: (f) => {
    if (!isId(f.agentType)) return 'agent type';
    if (f.request !== undefined && !isText(f.request, 256)) return 'request';
    const isCode = f.source !== undefined || f.container !== undefined;
    if (!(f.previous === undefined ? isCode : f.previous === true && !isCode)) return 'code: one, or the previous one';
    const { rolloutFailuresMax, settleMsMax } = limits;
    const isFailures = f.maxFailures === undefined || f.maxFailures === 0 || isCount(f.maxFailures, rolloutFailuresMax);
    if (!isFailures) return `failures: 0 to ${rolloutFailuresMax}`;
    if (f.settleMs !== undefined && !isCount(f.settleMs, settleMsMax)) return `settle time: 1 to ${settleMsMax} ms`;
    return whatIsWrongWithCode(f);
  },
  cancelUpgrade: (f) => (isId(f.agentType) ? undefined : 'agent type'),
  agentTypes: checkConsistency,
  agentType: (f) => (isId(f.agentType) ? checkConsistency(f) : 'agent type'),
  delete: (f) => (isId(f.agent) ? undefined : 'agent'),
  migrate: (f) => {
    if (!isId(f.agent)) return 'agent';
    if (!isId(f.target)) return 'target';
    return f.wait === undefined || typeof f.wait === 'boolean' ? undefined : 'wait';
  },
  cancelMigration: (f) => (isId(f.agent) ? undefined : 'agent'),
  setTopics: (f) => {
    if (!isId(f.agent)) return 'agent';
    return isTopics(f.topics) ? undefined : `topics: at most ${limits.topicsOfAgentMax} names`;
  },
  recoverAgent: (f) => {
    if (!isId(f.agent)) return 'agent';
    if (f.from !== undefined && !isId(f.from)) return 'node';
    return isIndex(f.epoch) && isIndex(f.sequence) ? undefined : 'checkpoint: an epoch and a sequence';
  },
  drain: (f) => {
    if (!isId(f.node)) return 'node';
    const { drainDeadlineMsMax: max } = limits;
    return f.deadlineMs === undefined || isCount(f.deadlineMs, max) ? undefined : `deadline: 1 to ${max} ms`;
  },
  undrain: (f) => (isId(f.node) ? undefined : 'node'),
  lead: (f) => (isId(f.node) ? undefined : 'node'),
  task: (f) => {
    if (!isId(f.agent)) return 'agent';
    if (!isTask(f.task)) return 'task id';
    if (!isTtl(f.ttlMs)) return `ttl: 1 to ${limits.taskTtlMsMax} ms`;
    const { payload } = f;
    const fits = payload instanceof Uint8Array && payload.byteLength <= limits.payloadBytesMax;
    if (!fits) return `payload: at most ${limits.payloadBytesMax} bytes`;
    if (f.priority !== undefined && !isPriority(f.priority)) return `priority: 0 to ${limits.taskPriorityMax}`;
    if (f.key !== undefined && !isId(f.key)) return 'key';
    if (f.retry !== undefined && !isId(f.retry)) return 'retry';
    if (f.settledBelow !== undefined && !isIndex(f.settledBelow)) return 'settled: a step';
    return isFlag(f.progress) ? undefined : 'progress: true or false';
  },
  kvPut: (f) => {
    const { value } = f;
    const fits = value instanceof Uint8Array && value.byteLength <= limits.kvValueBytesMax;
    return checkKvWrite(f) ?? (fits ? undefined : `value: at most ${limits.kvValueBytesMax} bytes`);
  },
  kvDelete: checkKvWrite,
  kvGet: (f) => (!isKvKey(f.key) ? kvKeyRule : isConsistency(f.consistency) ? undefined : 'consistency'),
  kvList: (f) => {
    if (!isText(f.prefix, limits.kvKeyLengthMax)) return 'prefix';
    if (f.after !== undefined && !isText(f.after, limits.kvKeyLengthMax)) return 'cursor';
    return isConsistency(f.consistency) ? undefined : 'consistency';
  },
  state: checkRead,
  fork: checkFork,
  forkDelete: checkFork,
  tasks: checkRead,
  doorTasks: (f) => {
    if (!isId(f.agent)) return 'agent';
    if (f.task !== '' && !isTask(f.task)) return 'task id';
    return typeof f.cancelled === 'boolean' && !(f.cancelled && f.task === '') ? undefined : 'cancelled: of one task';
  },
  taskCancel: (f) => (isTask(f.task) ? checkRead(f) : 'task id'),
};

/** What is wrong with an operation, whoever asks for it; undefined when nothing is. */
export function whatIsWrong(operation: Operation): string | undefined {
  const check = checks[operation.type] as ((fields: Fields) => string | undefined) | undefined;
  if (check === undefined) return `unknown operation "${String(operation.type)}"`;
  const field = check(operation as unknown as Fields);
  return field === undefined ? undefined : `${operation.type} has a wrong ${field}`;
}

/** Decodes and checks an operation that another node passed on. */
export function checkOperation(bytes: Uint8Array): Checked {
  let operation: Operation;
  try {
    operation = decodeOperation(bytes);
  } catch (error) {
    return { ok: false, reason: String(error) };
  }
  if (typeof operation !== 'object' || operation === null) return { ok: false, reason: 'it is not an operation' };
  const reason = whatIsWrong(operation);
  return reason === undefined ? { ok: true, operation } : { ok: false, reason };
}

/** Whether another node's word about a task can be one. */
export function isTaskAsk(ask: MessageOf<'taskAsk'>): boolean {
  const { task, agent, payload, priority, key, retry, settledBelow } = ask;
  if (settledBelow !== undefined && !isIndex(settledBelow)) return false;
  if (!isTask(task) || !isId(agent) || payload.byteLength > limits.payloadBytesMax) return false;
  return isPriority(priority) && (key === '' || isId(key)) && (retry === '' || isId(retry));
}
