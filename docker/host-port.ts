import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { FleetError } from './fleet.ts';

/** Whether something on this machine listens on the port already. */
export async function isPortTaken(port: number, host = '127.0.0.1'): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(true));
    server.listen(port, host, () => server.close(() => resolve(false)));
  });
}

/** A node that was killed a moment ago holds its port until the last of its threads is gone. */
const releaseMs = 1_000;
const releasePollMs = 50;

async function staysTaken(port: number): Promise<boolean> {
  const deadlineMs = performance.now() + releaseMs;
  while (await isPortTaken(port)) {
    if (performance.now() >= deadlineMs) return true;
    await delay(releasePollMs);
  }
  return false;
}

/** A port that was free a moment ago. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, host, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** A port that a node wants is somebody else's. */
export function portTaken(port: number, node: string): FleetError {
  return new FleetError(
    `Port ${port}, the admin port of ${node}, is taken by another program. What this call had made is removed again. ` +
      `Choose other ports with "--port", for example "--port ${port < 60_000 ? port + 1_000 : port - 1_000}", or end that program.`,
  );
}

/** Throws `FleetError` when one of the ports is taken or is no port. */
export async function checkPorts(portFirst: number, numbers: readonly number[]): Promise<void> {
  const last = portFirst + Math.max(1, ...numbers) - 1;
  if (!Number.isInteger(portFirst) || portFirst < 1 || last > 65_535) {
    throw new FleetError(
      `The admin ports ${portFirst} to ${last} are not all ports. Nothing was changed. Choose "--port" from 1 to ${65_536 - (last - portFirst + 1)}.`,
    );
  }
  for (const number of numbers) {
    const port = portFirst + number - 1;
    if (await staysTaken(port)) throw portTaken(port, `node-${number}`);
  }
}
