import { describe, expect, test } from 'vitest';
import { Linearizable } from '../../../sim/checkers/eventually-linearizable.ts';

/** A checker with a clock that goes on by a millisecond at each glance. */
function watching() {
  let nowMs = 0;
  const now = (): number => ++nowMs;
  const checker = new Linearizable(now);
  const task = (serial: number, client = 'one') =>
    checker.clients.called('counter', client, { type: 'task', serial }, now());
  const told = (id: number, total: number) => checker.clients.returned(id, { type: 'task', total }, now());
  const read = (total: number, ...serials: number[]): void => {
    const id = checker.clients.called('counter', 'reader', { type: 'read' }, now());
    const counts = Object.fromEntries(serials.map((serial) => [serial, 1]));
    checker.clients.returned(id, { type: 'read', total, counts }, now());
  };
  const deploy = (request: string) => checker.commands.called('extra', { type: 'deploy', request });
  const remove = () => checker.commands.called('extra', { type: 'delete' });
  return { checker, ...checker.commands, task, told, read, deploy, remove };
}

describe('what clients were told of an agent', () => {
  test('is right when it has one explanation, with answers missing', () => {
    const { checker, task, told, read } = watching();
    const [one, two, lost] = [task(1), task(2, 'two'), task(3, 'three')];
    told(two, 1);
    told(one, 2);
    read(3, 1, 2, 3);
    checker.clients.unknown(lost);
    checker.finish();
    expect(checker.undecided).toEqual([]);
  });

  test('is a violation when a read does not show what was acknowledged before', () => {
    const { checker, task, told, read } = watching();
    told(task(1), 1);
    told(task(2), 2);
    read(1, 1);
    expect(() => checker.finish()).toThrow('tasks and reads of counter cannot have happened one by one');
  });

  test('is a violation when an answer is from a history that another answer contradicts', () => {
    const { checker, task, told } = watching();
    told(task(1), 2);
    told(task(2), 1);
    expect(() => checker.finish()).toThrow('eventually-linearizable: tasks and reads of counter cannot have');
  });

  test('is a violation when a read shows what a later one does not', () => {
    const { checker, task, read } = watching();
    task(1);
    read(1, 1);
    read(0);
    expect(() => checker.finish()).toThrow('tasks and reads of counter cannot have happened one by one');
  });
});

describe('what operators were told of a name', () => {
  test('is right when the name was free for each that was deployed', () => {
    const { checker, deploy, remove, returned } = watching();
    returned(deploy('a'), 'ok');
    returned(deploy('b'), 'agentExists');
    returned(remove(), 'ok');
    returned(remove(), 'agentUnknown');
    returned(deploy('c'), 'ok');
    returned(deploy('d'), 'agentUnplaceable');
    checker.finish();
  });

  test('is a violation when two agents of one name were made', () => {
    const { checker, deploy, returned } = watching();
    returned(deploy('a'), 'ok');
    returned(deploy('b'), 'ok');
    expect(() => checker.finish()).toThrow('commands about extra cannot have happened one by one');
  });

  test('is a violation when an agent is unknown that was made and not removed', () => {
    const { checker, deploy, remove, returned } = watching();
    returned(deploy('a'), 'ok');
    returned(remove(), 'agentUnknown');
    expect(() => checker.finish()).toThrow('commands about extra cannot have happened one by one');
  });

  test('may be explained by a deletion whose outcome nobody knows', () => {
    const { checker, deploy, remove, returned, unknown } = watching();
    returned(deploy('a'), 'ok');
    unknown(remove());
    returned(remove(), 'agentUnknown');
    checker.finish();
  });
});
