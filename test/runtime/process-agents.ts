/** Agents for the `process` runtime that Node itself runs: so they run wherever the tests do. */

const talk = `
const { createInterface } = require('node:readline');
const say = (message) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\\n');
const tell = (task, value) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', method: 'progress', params: { task, value } }) + '\\n');
const serve = (form, methods) => createInterface({ input: process.stdin }).on('line', async (line) => {
  const { id, method, params } = JSON.parse(line);
  try {
    if (id === undefined) methods[method]?.(params);
    else if (method === 'describe') {
      const { merge, migrate, rollback } = methods;
      const can = { merge: merge !== undefined, migrate: migrate !== undefined, rollback: rollback !== undefined };
      say({ id, result: { protocol: 1, state: form, ...can, epochs: methods.old === undefined } });
    }
    else if (method === 'ping') say({ id, result: {} });
    else say({ id, result: await methods[method](params) });
  } catch (error) {
    say({ id, error: { code: 1, message: String(error?.message ?? error) } });
  }
});`;

/** What a counter does to `state` when its `task` says so, the bad things too. */
export const deeds = `
  state.count += task.add ?? 0;
  if (task.throw) throw new Error(task.throw);
  if (task.exit !== undefined) process.exit(task.exit);
  if (task.spin) for (;;) {}
  if (task.ms) await new Promise((resolve) => setTimeout(resolve, task.ms));
  if (task.wait) await new Promise(() => {});
  if (task.memory) for (const all = []; ; ) { all.push(Buffer.alloc(1e6, 1)); for (const end = performance.now() + 5; performance.now() < end; ); }
  if (task.print) process.stderr.write(task.print);
`;

/** A counter that does what its task says, the bad things too. */
export const processCounter = `${talk}
let state;
let giveUp = () => {};
serve('json', {
  init({ context }) { state = { count: 0, name: context.agent, type: context.type, epoch: context.epoch }; return { state }; },
  restore(params) { state = params.state; return { state }; },
  merge({ base, theirs, both, branch }) {
    if (theirs.count < 0) throw new Error('not like this');
    state.count += theirs.count - base.count;
    state.merged = [branch, ...both];
    return { state };
  },
  cancel({ task }) { giveUp(task); },
  async handle({ id, task, epoch }) {${deeds}    for (const value of task.tell ?? []) tell(task.tellOf ?? id, value);
    if (task.tellLarge) tell(id, 'x'.repeat(task.tellLarge));
    if (task.tellTimes) for (let at = 1; at <= task.tellTimes; at++) tell(id, at);
    if (task.untilCancelled) throw new Error('given up: ' + (await new Promise((resolve) => { giveUp = resolve; })));
    if (task.tellLate) setTimeout(() => tell(id, 'late'), 1);
    if (task.lead) return { state, result: 1, ...task.lead };
    if (task.whichId) return { state, result: id };
    if (task.whichEpoch) return { state, result: epoch };
    if (task.raw) process.stdout.write(task.raw);
    if (task.large) return { state, result: 'x'.repeat(task.large) };
    if (task.run) return { state, result: await eval(task.run) };
    if (task.environment) return { state, result: process.env };
    if (task.child) return { state, result: require('node:child_process').spawn('sleep', ['1000'], { stdio: 'ignore' }).pid };
    if (task.deaf) setTimeout(() => { for (;;) {} }, 50);
    return { state, result: state.count };
  },
});`;

/** What a newer version of the counter keeps: its count in hundredths. */
export const versions = `
const migrated = ({ count, ...rest }, { from, to }) => {
  if (rest.name === 'odd') throw new Error('not that one');
  return { ...rest, cents: count * 100, by: from + '-' + to };
};
const brokenOff = ({ cents, by, ...rest }, { from, to }) => {
  if (cents % 100 !== 0) throw new Error(cents + ' is no count');
  return { ...rest, count: cents / 100, back: from + '-' + to };
};`;

/** That version. */
export const processCents = `${talk}${versions}
let state;
serve('json', {
  init() { state = { cents: 0 }; return { state }; },
  restore(params) { state = params.state; return { state }; },
  migrate({ state: kept, from, to }) { state = migrated(kept, { from, to }); return { state }; },
  rollback({ state: kept, from, to }) { return { state: brokenOff(kept, { from, to }) }; },
  handle({ task }) { state.cents += task.add; if (task.throw) throw new Error(task.throw); return { state, result: state.cents }; },
});`;

/** Keeps its state as bytes of its own. */
export const processBytes = `${talk}
let n;
const kept = () => Buffer.from([n]).toString('base64');
serve('base64', {
  init() { n = 1; return { state: kept() }; },
  restore({ state }) { n = Buffer.from(state, 'base64')[0]; return { state }; },
  handle({ task }) { n += task; if (task < 0) throw new Error('no'); return { state: kept() }; },
});`;

/** Reads nothing, obeys no signal and does not end. */
export const processStubborn = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);`;
