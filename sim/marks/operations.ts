import type { NodeId } from '../../node/core/message.ts';
import type { Operation } from '../../node/core/operation.ts';
import { decodeOperation } from '../../node/core/operation-codec.ts';
import type { Detector } from './detector.ts';

const commandTypes: ReadonlySet<Operation['type']> = new Set(['deploy', 'delete', 'migrate']);
/** Errors after which a command may have taken effect, or may yet. */
const unknownCodes: ReadonlySet<string> = new Set(['outcomeUnknown', 'deadlineExceeded']);

/** Whether what was passed on changes the log. */
const isCommand = (operation: Uint8Array): boolean => commandTypes.has(decodeOperation(operation).type);

/** The agent that a command is about. */
function subjectOf(operation: Operation): string | undefined {
  if (operation.type === 'deploy') return operation.name;
  return commandTypes.has(operation.type) && 'agent' in operation ? operation.agent : undefined;
}

/** What operators ask, and what they are told, when not all goes well. */
export const operationMarks = {
  'command-passed-on-to-a-second-leader': (_scene, hit) => {
    const targets = new Map<string, NodeId | undefined>();
    return {
      sent: {
        forward(_node, { request, operation }, to) {
          const isAgain = targets.has(request) && targets.get(request) !== to;
          targets.set(request, to);
          if (isAgain && isCommand(operation)) hit();
        },
      },
    };
  },

  'command-ended-unknown': (_scene, hit) => ({
    answered(_node, _request, { type }, outcome) {
      if (commandTypes.has(type) && !outcome.ok && unknownCodes.has(outcome.error.code)) hit();
    },
  }),

  'two-operators-about-one-agent': (scene, hit) => {
    const waiting = new Map<string, { node: NodeId; agent: string; type: Operation['type'] }>();
    return {
      asked(node, request, operation) {
        const agent = subjectOf(operation);
        if (agent === undefined || !scene.isUp(node)) return;
        const { type } = operation;
        if ([...waiting.values()].some((other) => other.agent === agent && other.type !== type)) hit();
        waiting.set(request, { node, agent, type });
      },
      answered: (_node, request) => void waiting.delete(request),
      ended(node) {
        for (const [request, asked] of waiting) if (asked.node === node) waiting.delete(request);
      },
    };
  },
} satisfies Record<string, Detector>;
