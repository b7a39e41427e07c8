import { limits } from './settings.ts';

/** Why the outcome of a task cannot be kept; undefined when it can. */
export function whatIsTooLarge(value: Uint8Array, stateBytes: number): string | undefined {
  if (stateBytes > limits.stateBytesMax) {
    return `its state would be ${stateBytes} bytes, at most ${limits.stateBytesMax} are kept`;
  }
  if (value.byteLength > limits.resultBytesMax) {
    return `its result is ${value.byteLength} bytes, at most ${limits.resultBytesMax} are kept`;
  }
  return undefined;
}
