import type { Writable } from 'node:stream';
import { Listr, type ListrTaskWrapper } from 'listr2';
import type { Progress } from '../../docker/fleet.ts';

type Phase = Progress['phase'];

/** Shows what `up` does while it does it. */
export interface ProgressView {
  report(progress: Progress): void;
  /** All is done, or not: nothing is shown any more after it resolves. */
  end(error?: unknown): Promise<void>;
}

/** One line each time something changes, for logs and pipes. */
export function plainProgress(out: Writable): ProgressView {
  return {
    report: ({ text }) => void out.write(`${text}\n`),
    end: async () => {},
  };
}

const titles: Record<Phase, string> = { image: 'Image', nodes: 'Nodes', cluster: 'Cluster' };

/** One live line for each phase, for a terminal. A phase that had nothing to do is not shown. */
export function terminalProgress(): ProgressView {
  const phases = Object.keys(titles) as Phase[];
  const steps = new Map(phases.map((phase) => [phase, { ...Promise.withResolvers<void>(), latest: '', task: noTask }]));
  for (const { promise } of steps.values()) promise.catch(() => {});
  const list = new Listr(
    phases.map((phase) => ({
      title: titles[phase],
      task: async (_: unknown, task: Task): Promise<void> => {
        const step = steps.get(phase);
        if (step === undefined) return;
        step.task = task;
        show(task, phase, step.latest);
        await step.promise;
        show(task, phase, step.latest === '' ? 'nothing to do' : step.latest);
      },
    })),
    {
      concurrent: false,
      exitOnError: true,
      registerSignalListeners: false,
      rendererOptions: { collapseErrors: false, showErrorMessage: false },
    },
  );
  const shown = list.run().catch(() => {});
  return {
    report({ phase, text, done }) {
      for (const earlier of phases.slice(0, phases.indexOf(phase))) steps.get(earlier)?.resolve();
      const step = steps.get(phase);
      if (step === undefined) return;
      step.latest = text;
      if (step.task !== undefined) show(step.task, phase, text);
      if (done) step.resolve();
    },
    async end(error) {
      for (const step of steps.values()) {
        if (error === undefined) step.resolve();
        else step.reject(error);
      }
      await shown;
    },
  };
}

type Task = Pick<ListrTaskWrapper<unknown, never, never>, 'title'>;

const noTask = undefined as Task | undefined;

function show(task: Task, phase: Phase, text: string): void {
  task.title = text === '' ? titles[phase] : `${titles[phase]}: ${text}`;
}
