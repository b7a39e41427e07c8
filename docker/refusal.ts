import { nodeNameOf } from './container.ts';
import { engineMessage, engineStatus } from './engine.ts';
import { FleetError } from './fleet.ts';
import { portTaken } from './host-port.ts';

/** What the engine refused, in words that say what to do. */
export function explainRefusal(error: unknown, portFirst: number): FleetError {
  const message = engineMessage(error);
  const port = /(?:Bind for|bind)\S* [\d.]+:(\d+)|:(\d+): bind: address already in use/.exec(message);
  if (port !== null) {
    const taken = Number(port[1] ?? port[2]);
    return portTaken(taken, nodeNameOf(taken - portFirst + 1));
  }
  if (engineStatus(error) === 409 && message.includes('is already in use by container')) {
    return new FleetError(
      `${message} That container is not of this cluster. What this call had made is removed again. ` +
        'Choose another cluster name with "--name", or rename that container.',
      1,
      { cause: error },
    );
  }
  return new FleetError(`Docker refused: ${message}. What this call had made is removed again.`, 69, { cause: error });
}
