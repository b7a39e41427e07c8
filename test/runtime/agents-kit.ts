import { type AgentsRunnerInit, createAgentsRunner } from '../../node/runtime/agents-runner.ts';
import type { Runner } from '../../node/runtime/ports.ts';

const program = new URL('../../node/runtime/agents-program.ts', import.meta.url);
const workerUrl = new URL('../../node/runtime/worker.ts', import.meta.url);

/** A runner of `worker` agents as a node has it: its threads in a process of their own. */
export const createAgents = (init: Omit<AgentsRunnerInit, 'program' | 'workerUrl' | 'environment'>): Runner =>
  createAgentsRunner({ program, workerUrl, environment: process.env, ...init });
