import type { Program } from '../../sim/program.ts';

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const decode = (bytes: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(bytes));

/** A program whose states, tasks and answers are JSON. As in production, what `handle` throws refuses the task. */
export function jsonProgram<State>(
  init: State,
  handle: (state: State, payload: unknown) => { state: State; value: unknown },
): Program {
  return {
    start(_context, checkpoint) {
      let state = checkpoint === undefined ? init : (decode(checkpoint) as State);
      return {
        state: encode(state),
        handle(payload) {
          try {
            const answer = handle(state, decode(payload));
            state = answer.state;
            return { ok: true, value: encode(answer.value), state: encode(state) };
          } catch (error) {
            return { ok: false, value: encode({ reason: (error as Error).message }), state: encode(state) };
          }
        },
      };
    },
  };
}
