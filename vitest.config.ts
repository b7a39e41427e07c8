import { configDefaults, defineConfig } from 'vitest/config';

const exclude = [...configDefaults.exclude, 'dist/**'];
const swarm = ['test/swarm/**/*.test.ts'];
const long = ['test/cluster/**/*.test.ts'];
const minuteMs = 60_000;
/** Some take a CI for a terminal with colours; the tests read plain text. */
const env = { NO_COLOR: '1' };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'fast',
          env,
          include: ['test/**/*.test.ts'],
          exclude: [...exclude, ...swarm, ...long],
          // Two shared cores: what takes a second alone may take ten beside others.
          testTimeout: 30_000,
          hookTimeout: 30_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // Takes both cores for a while, and says which seeds it drew.
        test: {
          name: 'swarm',
          env,
          include: swarm,
          exclude,
          disableConsoleIntercept: true,
          testTimeout: 15 * minuteMs,
          sequence: { groupOrder: 2 },
        },
      },
      {
        // Real processes and containers: after the others and one file at a time, so that their times mean something.
        test: {
          name: 'cluster',
          env,
          include: long,
          exclude,
          fileParallelism: false,
          testTimeout: 15 * minuteMs,
          hookTimeout: 5 * minuteMs,
          teardownTimeout: minuteMs,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
