import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readModule } from '../../node/cli/deploy.ts';
import { createProcessRunner } from '../../node/runtime/process-runner.ts';
import { RunnerStage } from '../runtime/runner-stage.ts';

const folder = fileURLToPath(new URL('../../examples/conversation', import.meta.url));

/** The program itself, not a shim that looks for it each time. */
function findPython(): string | undefined {
  try {
    return execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim();
  } catch {
    return undefined;
  }
}

const python = findPython();

interface Message {
  role: string;
  content: string;
}

describe.skipIf(python === undefined)('the conversation agent, where there is python3', () => {
  let directory: string;
  let stage: RunnerStage;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'conversation-'));
    const interpreters = new Map([['python3', python ?? '']]);
    stage = new RunnerStage((events, log) => createProcessRunner({ directory, interpreters, events, log }));
  });

  afterEach(async () => {
    await stage.runner.stopAll();
    await rm(directory, { recursive: true, force: true });
  });

  const start = async (agent: string, epoch: number, state?: string) => {
    const { type, source = '', interpreter } = await readModule(folder);
    expect([type, interpreter]).toEqual(['conversation', 'python3']);
    const given = state === undefined ? undefined : Buffer.from(state);
    stage.runner.start({ agent, agentType: type, epoch, source, interpreter, state: given });
    return stage.first('started', (one) => one.agent === agent && one.epoch === epoch);
  };

  test('lets assistant, tool and user take turns, and goes on with the conversation on another node', async () => {
    await start('a', 1);
    const first = await stage.run('a', 't1', { say: 'what is 6 * 7?' });
    expect(first).toMatchObject({ ok: true, value: { reply: 'The answer is 42.', messages: 5 } });
    const { messages } = JSON.parse(first.state) as { messages: Message[] };
    expect(messages.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'tool', 'assistant']);
    await stage.first('printed', ({ line }) => line === '5 messages');
    stage.runner.stop('a', 1);
    await start('a', 2, first.state);
    const second = await stage.run('a', 't2', { say: 'what did I ask earlier?' }, 2);
    expect(second).toMatchObject({ ok: true, value: { reply: 'You asked me 1 times before.' } });
  });

  test('refuses a task of another form, and its state stays', async () => {
    const { state } = await start('a', 1);
    for (const task of [{ tell: 1 }, 7, { say: 'x'.repeat(501) }]) {
      expect(await stage.run('a', JSON.stringify(task).slice(0, 20), task)).toMatchObject({ ok: false, state });
    }
  });

  test('brings a protocol whose tasks tell of their progress, and hear that they are cancelled', async () => {
    const protocol = await readFile(join(folder, 'conclave_agent.py'), 'utf8');
    const agent = `
class Patient(Agent):
    def init(self):
        return 0
    def handle(self, task):
        self.progress({"seen": task})
        while task == "wait" and not self.cancelled:
            pass
        if self.cancelled:
            raise ValueError("given up")
        return self.cancelled
run(Patient())`;
    const order = { agent: 'a', agentType: 'patient', epoch: 1, source: `${protocol}${agent}`, interpreter: 'python3' };
    stage.runner.start({ ...order, state: undefined });
    stage.runner.run('a', 1, 't1', Buffer.from('"wait"'));
    expect(await stage.first('progress')).toMatchObject({ task: 't1', value: { seen: 'wait' } });
    stage.runner.cancel('a', 1, 't1');
    expect(await stage.first('ran')).toMatchObject({ ok: false, value: { reason: 'given up' } });
    expect(await stage.run('a', 't2', 'go')).toMatchObject({ ok: true, value: false });
  });

  test('has every file of its folder in its README', async () => {
    const text = await readFile(join(folder, 'README.md'), 'utf8');
    for (const file of ['agent.py', 'conclave_agent.py', 'conversation.py', 'fake_model.py']) {
      expect(text).toContain(`\`${file}\``);
    }
  });
});
