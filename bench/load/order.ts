/** What a generator of load is told: who is asked, by how many, for what and for how long. */
export interface LoadOrder {
  system: 'conclave' | 'etcd';
  /** Writes of values, or linearizable reads of values that were written before. */
  operation: 'write' | 'read';
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
export const keysPerClient = 16;

type Asked = Pick<LoadOrder, 'system' | 'operation' | 'token' | 'valueBytes'>;

/** The whole request for one key, as it goes over the connection. */
export function requestFor({ system, operation, token, valueBytes }: Asked, key: string): Buffer {
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

function withHead(line: string, headers: readonly string[], body: Buffer): Buffer {
  const lengths = body.byteLength > 0 ? [`Content-Length: ${body.byteLength}`] : [];
  const head = [`${line} HTTP/1.1`, 'Host: localhost', ...headers, ...lengths, '', ''].join('\r\n');
  return Buffer.concat([Buffer.from(head), body]);
}
