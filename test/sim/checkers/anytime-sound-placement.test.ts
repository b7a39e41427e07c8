import { expect, test } from 'vitest';
import type { EffectOf } from '../../../node/core/effect.ts';
import { SoundPlacement } from '../../../sim/checkers/anytime-sound-placement.ts';
import { Ledger } from '../../../sim/ledger.ts';
import { created, joined, placed, report } from './planted.ts';

type Report = EffectOf<'report'>['report'];

/** n1 to n3 are members and agents a, b, and picky c exist; each node takes two agents, n3 alone has a gpu that is new enough. */
function watching() {
  const ledger = new Ledger();
  const checker = new SoundPlacement(ledger, {
    agentsMax: () => 2,
    capabilities: (node) => (node === 'n3' ? ['gpu=2'] : ['gpu=1']),
    needs: (agent) => (agent === 'c' ? ['gpu>=2'] : []),
  });
  const tell = (...reports: Report[]): void => {
    for (const one of reports) {
      ledger.reported('n1', one);
      checker.reported('n1', one);
    }
  };
  tell(joined(1, 'n1'), joined(2, 'n2'), joined(3, 'n3'), created(4, 'a', 'b', 'c'));
  return { tell, checker };
}

test('placements on living, able nodes with room, the host among distinct living holders, are right', () => {
  const { tell } = watching();
  tell(placed(5, 'a', 'n3', 5, ['n3', 'n1']), placed(6, 'c', 'n3', 6, ['n3']), placed(7, 'b', 'n1', 7, ['n2', 'n1']));
  tell(placed(8, 'a', 'n1', 8, ['n1', 'n2', 'n3']), placed(9, 'b', 'n3', 9, ['n3']));
});

const dead = report(5, 'memberDead', { node: 'n2', boot: 1 });
const left = report(5, 'memberLeft', { node: 'n2', boot: 1 });
const full = [placed(5, 'a', 'n3', 5, ['n3']), placed(6, 'b', 'n3', 6, ['n3'])];

test.each<[string, Report[]]>([
  ['there is no such agent', [placed(5, 'x', 'n1', 5, ['n1'])]],
  ['there is no such agent', [report(5, 'agentDeleted', { agent: 'a' }), placed(6, 'a', 'n1', 6, ['n1'])]],
  ['the host is unknown', [placed(5, 'a', 'n9', 5, ['n9'])]],
  ['the host is dead', [dead, placed(6, 'a', 'n2', 6, ['n2'])]],
  ['the host is left', [left, placed(6, 'a', 'n2', 6, ['n2'])]],
  ['the host is not among the holders', [placed(5, 'a', 'n1', 5, ['n2', 'n3'])]],
  ['the holders are not distinct: n1, n2, n2', [placed(5, 'a', 'n1', 5, ['n1', 'n2', 'n2'])]],
  ['its holder n2 is dead', [dead, placed(6, 'a', 'n1', 6, ['n1', 'n2'])]],
  ['the host lacks gpu>=2', [placed(5, 'c', 'n1', 5, ['n1'])]],
  ['the host has 3 agents, at most 2 are allowed', [...full, placed(7, 'c', 'n3', 7, ['n3'])]],
])('a violation: %s', (wrong, reports) => {
  const { tell } = watching();
  tell(...reports.slice(0, -1));
  expect(() => tell(...reports.slice(-1))).toThrow(wrong);
});

test('a decision is judged as of its place in the log, by whoever applies it first', () => {
  const { tell, checker } = watching();
  const early = placed(5, 'a', 'n2', 5, ['n2']);
  tell(early, report(6, 'memberDead', { node: 'n2', boot: 1 }));
  expect(() => checker.reported('n3', early)).not.toThrow();
});
