import { describe, expect, it } from 'vitest';
import { majorityOf } from '../../consensus/quorum.ts';
import { entryText } from './narrator.ts';
import { logOf } from './single.ts';
import { Stage } from './stage.ts';

/** The logs of the paper's figure 7, as terms; the first entry is the configuration. */
const logs: Record<string, number[]> = {
  leader: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6],
  a: [1, 1, 1, 4, 4, 5, 5, 6, 6],
  b: [1, 1, 1, 4],
  c: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
  d: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
  e: [1, 1, 1, 4, 4, 4, 4],
  f: [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
};
const ids = Object.keys(logs);

function sevenServers(): Stage {
  const stage = new Stage({}, () => 0.5);
  for (const [id, [, ...terms]] of Object.entries(logs)) stage.add(id, logOf(ids, terms), { term: 7, vote: '' });
  return stage;
}

/** Lets one stand, and everybody answer and save, until nobody has anything to do. Returns who voted for it in term 8. */
function campaign(stage: Stage, candidate: string): string[] {
  const voters: string[] = [];
  stage.wake(candidate);
  for (let isBusy = true; isBusy; ) {
    const [letter] = stage.wire;
    if (letter?.message.type === 'voteReply') {
      const { granted, term, pre } = letter.message.body;
      if (granted && !pre && term === 8) voters.push(letter.from);
    }
    if (letter !== undefined) stage.deliver(letter);
    const saved = ids.filter((id) => stage.save(id));
    isBusy = letter !== undefined || saved.length > 0;
  }
  return voters;
}

describe('in figure 7 of the paper', () => {
  it.each([
    ['leader', 'abef'],
    ['a', 'bef'],
    ['c', 'abef', 'leader'],
    ['d', 'abcef', 'leader'],
  ])('%s may lead term 8, and makes every log its own', (candidate, letters, also = '') => {
    const stage = sevenServers();
    const voters = campaign(stage, candidate);
    expect(voters.sort()).toEqual([...letters, ...(also ? [also] : [])].sort());
    expect(voters.length + 1).toBeGreaterThanOrEqual(majorityOf(ids.length));
    const own = [...(logs[candidate] ?? []), 8];
    for (const id of ids) expect([id, stage.actor(id).disk.entries.map(({ term }) => term)]).toEqual([id, own]);
    const told = (id: string): string[] => stage.actor(id).disk.entries.map(entryText);
    for (const id of ids) expect(told(id)).toEqual(told(candidate));
  });

  it.each([
    ['b', 'f'],
    ['e', 'bf'],
    ['f', ''],
  ])('%s may not lead: those that would vote for it (%s) are no majority', (candidate, letters) => {
    const stage = sevenServers();
    const would: string[] = [];
    stage.wake(candidate);
    for (const letter of [...stage.wire]) stage.deliver(letter);
    for (const letter of [...stage.wire]) {
      if (letter.message.type === 'voteReply' && letter.message.body.granted) would.push(letter.from);
      stage.deliver(letter);
    }
    expect(would.sort()).toEqual([...letters]);
    expect([stage.node(candidate).role, stage.node(candidate).term]).not.toContain('leader');
    expect(ids.every((id) => stage.node(id).term === 7)).toBe(true);
  });
});
