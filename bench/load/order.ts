/** What a generator of load is told: who is asked, by how many, for what and for how long. */
export interface LoadOrder {
  system: 'conclave' | 'etcd';
  /** Writes of values, linearizable reads of values that were written before, or tasks for agents. */
  operation: 'write' | 'read' | 'task';
  /** Ids of the agents that get tasks; they are spread over the clients. */
  agents?: string[];
  /** Addresses of the nodes; the clients are spread over them. */
  urls: string[];
  token: string;
  clients: number;
  /** Of each value. */
  valueBytes: number;
  warmUpMs: number;
  measureMs: number;
}

/** What came of it. */
export interface LoadResult {
  /** Answered with success while it was measured. */
  operations: number;
  failures: number;
  seconds: number;
  p50Ms: number;
  p99Ms: number;
}

/** Keys that each client writes and reads in turn. */
const keysPerClient = 16;

/** What the client of that number asks for in turn: keys of its own, or agents, which it shares when they are few. */
export function targetsOf({ operation, agents = [], clients }: LoadOrder, client: number): string[] {
  if (operation !== 'task') return Array.from({ length: keysPerClient }, (_, n) => `bench/${client}-${n}`);
  const own = agents.filter((_, index) => index % clients === client);
  return own.length > 0 ? own : agents.slice(client % agents.length, (client % agents.length) + 1);
}

const taskTtlMs = 10_000;

type Asked = Pick<LoadOrder, 'system' | 'operation' | 'token' | 'valueBytes'>;

/** The whole request for one key or one agent, as it goes over the connection. */
export function requestFor({ system, operation, token, valueBytes }: Asked, key: string): Buffer {
  if (operation === 'task') return taskFor(key, token);
  const value = Buffer.alloc(valueBytes, key);
  if (system === 'conclave') {
    const method = operation === 'write' ? 'PUT' : 'GET';
    const query = operation === 'write' ? '' : '?consistency=linearizable';
    const body = operation === 'write' ? value : Buffer.alloc(0);
    return withHead(`${method} /api/v1/kv/${key}${query}`, [`Authorization: Bearer ${token}`], body);
  }
  const encoded = Buffer.from(key).toString('base64');
  const pair = operation === 'write' ? { key: encoded, value: value.toString('base64') } : { key: encoded };
  const path = operation === 'write' ? '/v3/kv/put' : '/v3/kv/range';
  return withHead(`POST ${path}`, ['Content-Type: application/json'], Buffer.from(JSON.stringify(pair)));
}

/** Without an id: the node makes a new one each time, so that no task is a repetition. */
function taskFor(agent: string, token: string): Buffer {
  const body = Buffer.from(JSON.stringify({ payload: { symbol: 'MSFT', price: 39.81 }, ttl_ms: taskTtlMs }));
  const headers = [`Authorization: Bearer ${token}`, 'Content-Type: application/json'];
  return withHead(`POST /api/v1/cluster/agents/${agent}/tasks`, headers, body);
}

function withHead(line: string, headers: readonly string[], body: Buffer): Buffer {
  const lengths = body.byteLength > 0 ? [`Content-Length: ${body.byteLength}`] : [];
  const head = [`${line} HTTP/1.1`, 'Host: localhost', ...headers, ...lengths, '', ''].join('\r\n');
  return Buffer.concat([Buffer.from(head), body]);
}
