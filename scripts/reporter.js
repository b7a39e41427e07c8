// What a test run says: a line per file, why a test failed, and the name of what was skipped.
const slowFileMs = 5_000;

const plural = (count, word) => `${count} ${word}${count === 1 ? '' : 's'}`;

/** A reporter for vitest that counts as it goes; `counts` is complete when the run has ended. */
export class LeanReporter {
  counts = { passed: 0, failed: 0, skipped: 0 };
  #say;
  #startedMs = new Map();

  constructor(say = (line) => console.log(line)) {
    this.#say = say;
  }

  onTestModuleStart(file) {
    this.#startedMs.set(file.moduleId, performance.now());
    if (file.project.name === 'cluster') this.#say(`  ...  ${file.relativeModuleId}`);
  }

  onTestCaseResult(test) {
    const { state, errors = [] } = test.result();
    this.counts[state] += 1;
    const name = `${test.module.relativeModuleId}: ${test.fullName}`;
    if (state === 'skipped') this.#say(` skip  ${name}`);
    if (state === 'failed') this.#fail(name, errors);
  }

  onTestSuiteResult(suite) {
    this.#countErrors(`${suite.module.relativeModuleId}: ${suite.fullName}`, suite.errors());
  }

  onTestModuleEnd(file) {
    this.#countErrors(file.relativeModuleId, file.errors());
    const tests = [...file.children.allTests()];
    const ms = performance.now() - (this.#startedMs.get(file.moduleId) ?? performance.now());
    const time = ms > slowFileMs ? ` (${(ms / 1000).toFixed(0)} s)` : '';
    const ok = file.ok() ? '  ok  ' : 'FAILED';
    this.#say(`${ok} ${file.relativeModuleId}: ${plural(tests.length, 'test')}${time}`);
  }

  /** An error that no test owns, such as a rejection that nobody caught, is a failure all the same. */
  onTestRunEnd(_files, errors) {
    this.#countErrors('outside of any test', errors);
  }

  #countErrors(name, errors) {
    if (errors.length === 0) return;
    this.counts.failed += 1;
    this.#fail(name, errors);
  }

  #fail(name, errors) {
    this.#say(`FAILED ${name}`);
    for (const { message, diff, stack } of errors) {
      const places = (stack ?? '').split('\n').filter((line) => /^\s+at /.test(line) && !line.includes('node_modules'));
      for (const part of [message, diff, places.slice(0, 6).join('\n')]) if (part) this.#say(part);
    }
  }
}
