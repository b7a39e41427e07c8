import { randomInt } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Logger, pino } from 'pino';
import { ReportLog } from './api/report-log.ts';
import { createServer } from './api/server.ts';
import { Node } from './core/node.ts';
import { claimDataDirectory, DataDirectoryError } from './data-directory.ts';
import { type Environment, EnvironmentError, readEnvironment } from './environment.ts';
import { loadIdentity } from './runtime/identity.ts';
import { LiveHost } from './runtime/live-host.ts';
import { LoadProbe } from './runtime/load-probe.ts';
import { openStore, storeExitCode } from './runtime/store.ts';
import { createTransport } from './runtime/transport.ts';
import { createWorkerRunner } from './runtime/worker-runner.ts';

const loadSampleMs = 1_000;
const stopWithinMs = 4_800;

/** Exit codes, after sysexits.h: 64 settings, 65 damaged data, 69 port taken, 70 own fault, 73 and 74 disk, 78 wrong cluster. */
const exitCodes = { settings: 64, portTaken: 69, internal: 70, wrongCluster: 78 };

async function readTypes(directory: string | undefined): Promise<Map<string, string>> {
  const types = new Map<string, string>();
  if (directory === undefined) return types;
  for (const file of await readdir(directory)) {
    if (file.endsWith('.mjs')) types.set(basename(file, '.mjs'), await readFile(join(directory, file), 'utf8'));
  }
  return types;
}

async function readKey(file: string, name: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new EnvironmentError(name, `names a file that cannot be read (${(error as Error).message})`, '/secrets/key');
  }
}

async function run(environment: Environment, log: Logger): Promise<void> {
  const { dataDirectory, networkKeyFile } = environment;
  const networkKey =
    networkKeyFile === undefined ? undefined : await readKey(networkKeyFile, 'CONCLAVE_NETWORK_KEY_FILE');
  const tokenKey = await readKey(environment.tokenPublicKeyFile, 'CONCLAVE_TOKEN_PUBLIC_KEY_FILE');
  await claimDataDirectory(dataDirectory, networkKey);
  const identity = await loadIdentity(dataDirectory);
  const store = await openStore(join(dataDirectory, 'store'));
  const records = await store.load();
  const transport = await createTransport({
    identity,
    listen: environment.listen,
    announce: environment.announce,
    networkKey,
  });
  const reports = new ReportLog();
  const probe = new LoadProbe();

  const exit = (code: number, reason: string): void => {
    log.info({ code, reason }, 'ending');
    setTimeout(() => process.exit(code), 1_000).unref();
    void Promise.allSettled([host.stop(), server.close()]).then(() => process.exit(code));
  };
  const host = new LiveHost({
    transport,
    store,
    createRunner: (events) =>
      createWorkerRunner({
        workerUrl: new URL('./worker.mjs', import.meta.url),
        directory: join(dataDirectory, 'types'),
        events,
        log: (agent, line) => log.info({ agent }, line),
      }),
    createNode: (at) =>
      new Node({
        id: transport.self,
        profile: {
          name: environment.name,
          addresses: environment.announce.length > 0 ? environment.announce : transport.addresses(),
          site: environment.site,
          capabilities: environment.capabilities,
          admin: environment.adminUrl,
          agentsMax: environment.agentsMax,
        },
        records,
        join: environment.join,
        expect: environment.expect,
        random: () => randomInt(2 ** 47) / 2 ** 47,
        at,
      }),
    onReport: (report) => {
      reports.append(report);
      log.info({ kind: report.kind, index: report.index, ...report.details }, report.text);
    },
    onExit: exit,
    onStoreFailure: (error) => {
      log.fatal(error.message);
      process.stderr.write(`${error.message}\n`);
      process.exit(storeExitCode(error));
    },
    log: (level, text, details) => log[level](details ?? {}, text),
  });
  const server = await createServer({
    ask: (operation) => host.ask(operation),
    reports,
    ready: () => host.node?.readiness() ?? { ready: false, reason: 'it is starting' },
    leader: () => host.node?.leader(),
    self: transport.self,
    tokenPublicKeyPem: Buffer.from(tokenKey).toString('utf8'),
    builtinTypes: await readTypes(environment.typesDirectory),
    log: (text, details) => log.info(details, text),
  });
  await server.listen({ host: environment.adminHost, port: environment.adminPort });
  await host.start();
  log.info({ id: transport.self, name: environment.name, addresses: transport.addresses() }, 'started');
  setInterval(() => host.dispatch({ type: 'load', sample: probe.sample() }), loadSampleMs);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      host.dispatch({ type: 'stop' });
      setTimeout(() => exit(0, 'not waiting longer'), stopWithinMs).unref();
    });
  }
}

/** Ends with one line that says what to do, and a code that scripts can tell apart. */
function fail(error: unknown, log: Logger): never {
  const known = error as NodeJS.ErrnoException;
  let code = storeExitCode(known);
  let text = known.message;
  if (error instanceof EnvironmentError) code = exitCodes.settings;
  else if (error instanceof DataDirectoryError) code = exitCodes.wrongCluster;
  else if (known.code === 'EADDRINUSE') {
    code = exitCodes.portTaken;
    text = `A port is taken: ${known.message}. Nothing was changed. Set CONCLAVE_ADMIN_PORT or CONCLAVE_LISTEN to a free one.`;
  }
  log.fatal({ code }, text);
  process.stderr.write(`${text}\n`);
  process.exit(code);
}

const log = pino({ level: process.env['CONCLAVE_LOG_LEVEL'] ?? 'info', base: null });
process.on('unhandledRejection', (error) => fail(error, log));
try {
  await run(readEnvironment(process.env), log);
} catch (error) {
  fail(error, log);
}
