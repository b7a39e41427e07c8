// Everything that has to be right before a change is shared: build, lint, tests. Ends with one line of counts.
// Arguments choose tests by path, as in `npm test -- test/sim`; the lint steps run in any case.
import { startVitest } from 'vitest/node';
import { buildAll, isStale } from './build.js';
import { lint } from './lint.js';
import { LeanReporter } from './reporter.js';

async function runTests(filters) {
  const reporter = new LeanReporter();
  const vitest = await startVitest('test', filters, { watch: false, reporters: [reporter] });
  await vitest.close();
  return reporter.counts;
}

try {
  if (isStale()) await buildAll();
} catch (error) {
  console.error(`FAILED build: ${error.message}`);
  console.log('0 passed, 1 failed');
  process.exit(1);
}
const style = await lint();
const tests = await runTests(process.argv.slice(2));
const passed = style.passed + tests.passed;
const failed = style.failed + tests.failed;
const found = tests.passed + tests.failed + tests.skipped > 0;
if (!found) console.log('FAILED no test was found');
const skipped = tests.skipped > 0 ? `, ${tests.skipped} skipped` : '';
console.log(`${passed} passed, ${failed + (found ? 0 : 1)} failed${skipped}`);
// A handle that a test left open must not keep the command alive.
process.exit(failed === 0 && found ? 0 : 1);
