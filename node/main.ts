import { randomInt, randomUUID } from 'node:crypto';
import { access, constants, readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Logger, pino } from 'pino';
import { BearerCheck } from './api/bearer.ts';
import { ReportLog } from './api/report-log.ts';
import { createServer } from './api/server.ts';
import { kvChanged } from './core/kv-apply.ts';
import { Node } from './core/node.ts';
import type { TypeView } from './core/rollout-view.ts';
import { imageCapability, interpreterCapability, runtimeName } from './core/type-capability.ts';
import { claimDataDirectory, DataDirectoryDamaged, DataDirectoryError } from './data-directory.ts';
import { type Environment, EnvironmentError, readEnvironment } from './environment.ts';
import { createAgentRunner } from './runtime/agent-runner.ts';
import { type AgentsRunner, type AgentsUse, createAgentsRunner } from './runtime/agents-runner.ts';
import { createContainerRunner } from './runtime/container-runner.ts';
import { IdentityDamaged } from './runtime/identity.ts';
import { LiveHost } from './runtime/live-host.ts';
import { LoadProbe } from './runtime/load-probe.ts';
import { checkNetworkKey } from './runtime/network-key.ts';
import type { Runner, RunnerEvents } from './runtime/ports.ts';
import { createProcessRunner } from './runtime/process-runner.ts';
import { openDisk } from './runtime/quarantine.ts';
import { storeExitCode } from './runtime/store-errors.ts';
import { createTransport, ListenFailed } from './runtime/transport.ts';

const loadSampleMs = 1_000;
const rejoinPollMs = 200;
/** A node that was asked to stop is gone within the 10 s that a container is given; its own time is up a little before. */
const leaveWithinMs = 8_300;
const endWithinMs = 900;
/** What agents run in may go last: removing a container takes as long as its engine needs. */
const agentsEndWithinMs = 4_000;
const goneWithinMs = 9_800;

/** Exit codes, after sysexits.h: 64 settings, 65 damaged data, 69 port taken, 70 own fault, 73 and 74 disk, 78 wrong cluster. */
const exitCodes = { settings: 64, damaged: 65, portTaken: 69, internal: 70, wrongCluster: 78 };

/** Ends a node that does not end by itself. */
let lastMoment: NodeJS.Timeout | undefined;
/** When it was asked to stop, by a clock that does not jump. */
let askedAtMs: number | undefined;
let runner: Runner | undefined;
let workers: AgentsRunner | undefined;
/** What the process of its `worker` agents used, when last heard. */
let agentsUse: AgentsUse | undefined;

type Exit = (code: number, reason: string) => void;

async function readTypes(directory: string | undefined): Promise<Map<string, string>> {
  const types = new Map<string, string>();
  if (directory === undefined) return types;
  for (const file of await readdir(directory)) {
    if (file.endsWith('.mjs')) types.set(basename(file, '.mjs'), await readFile(join(directory, file), 'utf8'));
  }
  return types;
}

interface KeyKind {
  name: string;
  /** What the file must be, and how to get one. */
  kind: string;
  example: string;
  /** Throws, or rejects, when it is none. */
  check(bytes: Buffer): unknown;
}

const networkKeyKind: KeyKind = {
  name: 'CONCLAVE_NETWORK_KEY_FILE',
  kind: 'a network key, such as "conclave up" makes',
  example: '/secrets/network.key',
  check: checkNetworkKey,
};
const tokenKeyKind: KeyKind = {
  name: 'CONCLAVE_TOKEN_PUBLIC_KEY_FILE',
  kind: 'an Ed25519 public key in PEM, such as "openssl pkey -pubout" writes',
  example: '/secrets/token-public.pem',
  check: (bytes) => BearerCheck.create(bytes.toString('utf8')),
};

async function readKey(file: string, { name, kind, example, check }: KeyKind): Promise<Buffer> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw new EnvironmentError(name, `names a file that cannot be read (${(error as Error).message})`, example);
  }
  try {
    await check(bytes);
  } catch {
    // told without the cause, which may repeat some of the key
    throw new EnvironmentError(name, `names a file, ${file}, that is not ${kind}`, example);
  }
  return bytes;
}

/** Throws `EnvironmentError`. */
async function checkInterpreters(interpreters: ReadonlyMap<string, string>): Promise<void> {
  for (const [name, path] of interpreters) {
    try {
      await access(path, constants.X_OK);
    } catch (error) {
      const problem = `names a program that cannot be run (${(error as Error).message})`;
      throw new EnvironmentError('CONCLAVE_INTERPRETERS', problem, `${name}=/usr/bin/${name}`);
    }
  }
}

/** What stands before a node can be made: its keys, its identity, its disk and its network. */
async function openParts(environment: Environment) {
  const { dataDirectory, networkKeyFile, tokenPublicKeyFile, onDamage, join: joinAddresses } = environment;
  const networkKey = networkKeyFile === undefined ? undefined : await readKey(networkKeyFile, networkKeyKind);
  const tokenKey = await readKey(tokenPublicKeyFile, tokenKeyKind);
  const builtinTypes = await readTypes(environment.typesDirectory);
  await claimDataDirectory(dataDirectory, networkKey);
  const rejoins = onDamage === 'rejoin';
  const { identity, store, rejoin } = await openDisk({ dataDirectory, rejoins, canJoin: joinAddresses.length > 0 });
  const records = await store.load();
  const { listen, announce } = environment;
  const transport = await createTransport({ identity, listen, announce, networkKey });
  return { store, records, rejoin, transport, tokenPublicKeyPem: tokenKey.toString('utf8'), builtinTypes };
}

type Parts = Awaited<ReturnType<typeof openParts>>;

function createRunner(environment: Environment, node: string, events: RunnerEvents, logger: Logger): Runner {
  const { dataDirectory, interpreters, containers } = environment;
  const printed = (agent: string, line: string): void => logger.info({ agent }, line);
  const told = { events, log: printed };
  const trouble = (reason: string): void =>
    logger.warn({ reason }, 'containers of agents that are not needed may be left, and new ones cannot be started');
  const program = new URL('./agents-program.mjs', import.meta.url);
  const workerUrl = new URL('./worker.mjs', import.meta.url);
  workers = createAgentsRunner({
    ...{ program, workerUrl, directory: join(dataDirectory, 'types'), environment: process.env, ...told },
    trouble: (reason, lines) => logger.warn({ lines }, reason),
    used: (use) => {
      agentsUse = use;
    },
  });
  return createAgentRunner({
    workers,
    processes: createProcessRunner({ directory: join(dataDirectory, 'processes'), interpreters, ...told }),
    containers:
      containers &&
      createContainerRunner({ directory: join(dataDirectory, 'containers'), node, ...containers, ...told, trouble }),
    failed: (agent, epoch, reason) => events.failed(agent, epoch, reason, false),
  });
}

function createHost(environment: Environment, parts: Parts, reports: ReportLog, log: Logger, exit: Exit): LiveHost {
  const { transport, store, records, rejoin } = parts;
  const { name, announce, site, machine, adminUrl: admin, agentsMax, join: addresses, expect } = environment;
  const { interpreters, containers } = environment;
  const programs = [...interpreters.keys()].map(interpreterCapability);
  const images = (containers?.images ?? []).map(imageCapability);
  const capabilities = [...environment.capabilities, ...programs, ...images];
  return new LiveHost({
    transport,
    store,
    createRunner: (events) => {
      runner = createRunner(environment, transport.self, events, log);
      return runner;
    },
    createNode: (at) => {
      const reachable = announce.length > 0 ? announce : transport.addresses();
      return new Node({
        id: transport.self,
        start: randomUUID(),
        profile: { name, addresses: reachable.slice(0, 8), site, machine, capabilities, admin, agentsMax },
        records,
        join: addresses,
        // Who forgot what it promised to a cluster founds no second one.
        expect: rejoin === undefined ? expect : 0,
        random: () => randomInt(2 ** 47) / 2 ** 47,
        at,
        settings: { votersMax: environment.voters, leaseReads: environment.leaseReads },
      });
    },
    onReport: (report) => {
      reports.append(report);
      if (report.kind === 'stopUndone') {
        clearTimeout(lastMoment);
        askedAtMs = undefined;
      }
      // There may be thousands a second; whoever wants them follows the events.
      if (report.kind === kvChanged) return;
      log.info({ kind: report.kind, index: report.index, ...report.details }, report.text);
    },
    onExit: exit,
    onStoreFailure: (error) => fail(error, log),
    log: (level, text, details) => log[level](details ?? {}, text),
  });
}

/** Where there is a type of `worker` agents, one may have to be recovered: what it will run in has booted by then. */
function keepWorkers(host: LiveHost): void {
  const waiting = setInterval(async () => {
    const outcome = await host.ask({ type: 'agentTypes', consistency: 'stale' });
    const types = outcome.ok ? (outcome.result as TypeView[]) : [];
    if (!types.some(({ runtime }) => runtime === runtimeName({}))) return;
    clearInterval(waiting);
    workers?.keep();
  }, loadSampleMs).unref();
}

async function run(environment: Environment, log: Logger): Promise<void> {
  let leave = (): void => {
    log.info({ code: 0 }, 'asked to stop before it had started: ending');
    process.exit(0);
  };
  // Before anything can take long: a container's first process gets no default for these signals.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => leave());
  const { voters } = environment;
  if (voters % 2 === 0) {
    log.warn(
      { voters },
      `CONCLAVE_VOTERS is even: ${voters} voters bear no more losses than ${voters - 1}. Use an odd one.`,
    );
  }
  await checkInterpreters(environment.interpreters);
  const parts = await openParts(environment);
  const { transport, rejoin, tokenPublicKeyPem, builtinTypes } = parts;
  const reports = new ReportLog();
  const tell = (level: 'info' | 'error', kind: string, text: string, details: Record<string, unknown>): void => {
    reports.append({ index: 0, atMs: Date.now(), kind, text, details });
    log[level]({ kind, ...details }, text);
  };
  if (rejoin !== undefined) tell('error', 'storeDamaged', rejoin.text, { reason: rejoin.reason, aside: rejoin.aside });
  const exit: Exit = (code, reason) => {
    log.info({ code, reason }, 'ending');
    const leftMs = askedAtMs === undefined ? agentsEndWithinMs : askedAtMs + goneWithinMs - performance.now();
    const agentsMs = Math.min(agentsEndWithinMs, leftMs - endWithinMs);
    setTimeout(() => {
      void Promise.race([runner?.stopAll(), delay(agentsMs)]).finally(() => process.exit(code));
    }, endWithinMs).unref();
    void Promise.allSettled([host.stop(), server.close()]).then(() => process.exit(code));
  };
  const host = createHost(environment, parts, reports, log, exit);
  const server = await createServer({
    ask: (operation, progress) => host.ask(operation, progress),
    reports,
    ready: () => {
      const { ready, reason } = host.node?.readiness() ?? { ready: false, reason: 'it is starting' };
      return { ready, reason: ready || rejoin === undefined ? reason : `${reason}. ${rejoin.text}` };
    },
    leader: () => host.node?.leader(),
    self: transport.self,
    tokenPublicKeyPem,
    builtinTypes,
    log: (text, details) => log.info(details, text),
  });
  leave = () => {
    askedAtMs ??= performance.now();
    host.dispatch({ type: 'stop' });
    clearTimeout(lastMoment);
    lastMoment = setTimeout(() => exit(0, 'not waiting longer'), leaveWithinMs).unref();
  };
  await server.listen({ host: environment.adminHost, port: environment.adminPort });
  await host.start();
  log.info({ id: transport.self, name: environment.name, addresses: transport.addresses() }, 'started');
  const probe = new LoadProbe();
  setInterval(() => host.dispatch({ type: 'load', sample: probe.sample(agentsUse) }), loadSampleMs);
  keepWorkers(host);
  if (rejoin === undefined) return;
  const waiting = setInterval(() => {
    if (host.node?.readiness().ready !== true) return;
    clearInterval(waiting);
    rejoin.done().then(
      () => tell('info', 'rejoined', 'it is a member again, as a new node', {}),
      (error: unknown) => fail(error, log),
    );
  }, rejoinPollMs);
}

/** Ends with one line that says what to do, and a code that scripts can tell apart. */
function fail(error: unknown, log: Logger): never {
  const known = error as NodeJS.ErrnoException;
  let code = storeExitCode(known);
  let text = known.message;
  if (error instanceof EnvironmentError) code = exitCodes.settings;
  else if (error instanceof DataDirectoryError) code = exitCodes.wrongCluster;
  else if (error instanceof IdentityDamaged || error instanceof DataDirectoryDamaged) code = exitCodes.damaged;
  else if (error instanceof ListenFailed) code = exitCodes.portTaken;
  else if (known.code === 'EADDRINUSE') {
    code = exitCodes.portTaken;
    text = `A port is taken: ${known.message}. Nothing was changed. Set CONCLAVE_ADMIN_PORT to a free one.`;
  }
  log.fatal({ code }, text);
  process.stderr.write(`${text}\n`);
  process.exit(code);
}

const log = pino({ base: null });
process.on('unhandledRejection', (error) => fail(error, log));
try {
  const environment = readEnvironment(process.env);
  log.level = environment.logLevel;
  await run(environment, log);
} catch (error) {
  fail(error, log);
}
