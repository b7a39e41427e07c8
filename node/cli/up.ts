import type { Writable } from 'node:stream';
import { FleetError, type FleetNode } from '../../docker/fleet.ts';
import { type BroughtUp, bringUp } from './bring-up.ts';
import { afterUp, clusterTable, roleOf } from './cluster-table.ts';
import { type ChosenFleet, type FleetOptions, openFleet } from './fleet.ts';
import { type ProgressView, plainProgress, terminalProgress } from './progress-view.ts';

/** Options that `up`, `down` and `kill` share. */
export interface ClusterOptions {
  /** The cluster's name, default `conclave`. */
  name?: string | undefined;
  /** Force local processes. */
  processes?: boolean | undefined;
  /** Force Docker. */
  docker?: boolean | undefined;
  /** Print the result as one JSON object. */
  json?: boolean | undefined;
  /** For programs: another state directory than the working directory's. */
  home?: string | undefined;
  /** For programs: another built program than this package's. */
  distDirectory?: string | undefined;
}

export interface UpOptions extends ClusterOptions {
  /** First admin port. */
  port?: number | undefined;
  /** Docker only: the image that the nodes' own is built on. */
  base?: string | undefined;
  /** `name=/path` of programs that may run `process` agents. */
  interpreters?: string[] | undefined;
  /** Images that may run as `container` agents. */
  containers?: string[] | undefined;
  /** How long to wait for the cluster, ms. */
  timeoutMs?: number | undefined;
}

/** Where a command writes. */
export interface Console {
  out: Writable & { isTTY?: boolean };
  err: Writable;
}

export const standardConsole: Console = { out: process.stdout, err: process.stderr };
export const clusterNameDefault = 'conclave';

/** The options as `openFleet` takes them. Throws `FleetError` when both kinds are forced. */
export function fleetOptions(options: ClusterOptions): FleetOptions {
  const { name = clusterNameDefault, processes, docker, home, distDirectory } = options;
  if (processes && docker) {
    throw new FleetError('"--docker" and "--processes" exclude each other. Nothing was changed. Give one of them.');
  }
  return { name, kind: processes ? 'processes' : docker ? 'docker' : undefined, home, distDirectory };
}

/** Runs a command and prints its `FleetError`; returns the exit code. Other errors are faults and pass through. */
export async function guarded(console: Console, json: boolean | undefined, work: () => Promise<void>): Promise<number> {
  try {
    await work();
    return 0;
  } catch (error) {
    if (!(error instanceof FleetError)) throw error;
    if (json) console.out.write(`${JSON.stringify({ ok: false, error: { message: error.message } })}\n`);
    else console.err.write(`${error.message}\n`);
    return error.exitCode;
  }
}

/** `conclave up <count>`: brings a cluster of `count` nodes up on this machine. Returns the exit code. */
export async function up(count: number, options: UpOptions = {}, console = standardConsole): Promise<number> {
  return guarded(console, options.json, async () => {
    const startedMs = performance.now();
    const chosen = await openFleet({
      ...fleetOptions(options),
      portFirst: options.port,
      base: options.base,
      programs: { interpreters: options.interpreters, containers: options.containers },
    });
    if (chosen.notice !== undefined) console.err.write(`${chosen.notice}\n`);
    const result = await showing(chosen, count, options, console);
    const elapsedMs = Math.round(performance.now() - startedMs);
    if (options.json) console.out.write(`${JSON.stringify(asJson(result, chosen, elapsedMs))}\n`);
    else {
      console.out.write(`${clusterTable(result.status)}\n`);
      console.out.write(`${afterUp(result.status, result.nodes, chosen.fleet.name)}\n`);
    }
  });
}

async function showing(
  { fleet, home }: ChosenFleet,
  count: number,
  { json, timeoutMs }: UpOptions,
  console: Console,
): Promise<BroughtUp> {
  const live = console.out.isTTY === true && console.out === process.stdout && !json;
  const view: ProgressView = live ? terminalProgress() : plainProgress(console.err);
  const abort = new AbortController();
  const interrupt = (): void => abort.abort();
  process.once('SIGINT', interrupt);
  try {
    const { signal } = abort;
    const result = await bringUp({
      fleet,
      home,
      count,
      onProgress: (progress) => view.report(progress),
      signal,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
    await view.end();
    return result;
  } catch (error) {
    await view.end(error);
    if (!abort.signal.aborted) throw error;
    throw interrupted(fleet.name, await fleet.list().catch(() => []));
  } finally {
    process.removeListener('SIGINT', interrupt);
  }
}

function interrupted(name: string, left: readonly FleetNode[]): FleetError {
  const what = left.length === 0 ? 'No node was started' : `${left.map((node) => node.name).join(', ')} are left`;
  return new FleetError(
    `Interrupted. ${what}. "conclave up" with the same number goes on from here; "conclave down --name ${name}" removes everything.`,
    130,
  );
}

function asJson({ status, nodes, created, revived }: BroughtUp, { fleet, home }: ChosenFleet, elapsedMs: number) {
  const idOf = new Map(status.nodes.map((node) => [node.name, node]));
  return {
    ok: true,
    name: fleet.name,
    cluster: status.cluster,
    kind: fleet.kind,
    home: home.directory,
    admin: nodes[0]?.admin,
    leader: status.leader,
    created,
    revived,
    nodes: nodes.map(({ name, admin, handle }) => {
      const member = idOf.get(name);
      const seen = member && { id: member.id, role: roleOf(member), status: member.status, agents: member.agents };
      return { name, admin, [fleet.kind === 'docker' ? 'container' : 'pid']: handle, ...seen };
    }),
    elapsed_ms: elapsedMs,
  };
}
