import { limits } from './settings.ts';

/** Why the outcome of a task cannot be kept; undefined when it can. `inPieces`: the agent's runner tells large states so. */
export function whatIsTooLarge(value: Uint8Array, stateBytes: number, inPieces = true): string | undefined {
  const stateBytesMax = inPieces ? limits.stateBytesMax : limits.lineStateBytesMax;
  if (stateBytes > stateBytesMax) {
    return `its state would be ${stateBytes} bytes, at most ${stateBytesMax} are kept`;
  }
  if (value.byteLength > limits.resultBytesMax) {
    return `its result is ${value.byteLength} bytes, at most ${limits.resultBytesMax} are kept`;
  }
  return undefined;
}
