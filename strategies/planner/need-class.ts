import { turnsUntilPlace } from '../choose.ts';
import { type Filter, filtersFor } from '../feasibility.ts';
import { hasSites, hasTurns, type Mix, nodeTotal, siteTotal, turnTotal } from '../mix.ts';
import type { Need } from '../need.ts';
import type { ReasonCode } from '../reason.ts';
import { SiteSpread } from '../site-spread.ts';
import type { Rejections } from '../strategy.ts';
import type { ChangeRing } from './change-ring.ts';
import { infeasible, ScoreTree, type Turns } from './score-tree.ts';
import type { Slot } from './slot.ts';

/** The nodes as the classes read them. */
export interface Field {
  /** In the order of node ids. */
  readonly slots: readonly Slot[];
  /** Grows when a node comes, goes or moves to another site: every rank may be another then. */
  readonly shape: number;
  readonly changes: ChangeRing;
  /** Agents of a type on each site. */
  siteCounts(agentType: string): ReadonlyMap<string, number>;
}

export interface Pick {
  slot: Slot;
  total: number;
}

export interface Answer {
  /** Best first. */
  picks: Pick[];
  feasible: number;
  rejected: Rejections;
}

/** Nodes that stand on the same site, or all of them where the sites do not matter. */
interface Group {
  site: string;
  ranks: number[];
  tree: ScoreTree;
  /** Nodes that could take the agent if they had room. */
  eligible: number;
}

const fits = 0;

/**
 * The nodes in the eyes of all agents that need the same and go by the same mix: what each is worth to them, kept up to
 * date by looking again at those that changed and at no others.
 */
export class NeedClass {
  readonly #need: Need;
  readonly #mix: Mix;
  readonly #fixed: readonly Filter[];
  readonly #moving: readonly Filter[];
  /** What the numbers in `#code` stand for. */
  readonly #codes: readonly ReasonCode[];
  readonly #bySite: boolean;
  #shape = -1;
  #cursor = 0;
  #groups: Group[] = [];
  #groupOf = new Int32Array(0);
  #leafOf = new Int32Array(0);
  #version = new Int32Array(0);
  #profileVersion = new Int32Array(0);
  /** Which filter rejects the node for what it is, and which rejects it at all. */
  #fixedCode = new Uint8Array(0);
  #code = new Uint8Array(0);
  #counts: number[] = [];
  #rejected: Rejections | undefined;
  usedAt = 0;

  constructor(need: Need, mix: Mix) {
    this.#need = need;
    this.#mix = mix;
    const among = filtersFor(need);
    this.#fixed = among.filter(({ fixed }) => fixed);
    this.#moving = among.filter(({ fixed }) => !fixed);
    this.#codes = [...this.#fixed, ...this.#moving].map(({ code }) => code);
    this.#bySite = need.spread !== undefined && (hasSites(mix) || need.spread.skewMax !== undefined);
  }

  /** The best nodes, at most `count`; `holders` keep the state of the agent that is asked for. */
  best(field: Field, turn: number, count: number, holders: readonly Slot[]): Answer {
    this.#catchUp(field);
    const sites = this.#bySite ? this.#spread(field) : undefined;
    const undo: [group: Group, leaf: number, score: number][] = [];
    const overlay = ({ rank }: Slot, score: number): void => {
      const group = this.#groups[this.#groupOf[rank] as number] as Group;
      const leaf = this.#leafOf[rank] as number;
      undo.push([group, leaf, group.tree.scoreOf(leaf)]);
      group.tree.show(leaf, score);
    };
    for (const slot of holders) {
      if (this.#code[slot.rank] !== fits) continue;
      slot.holdsState = true;
      overlay(slot, nodeTotal(this.#mix, slot, this.#need));
      slot.holdsState = false;
    }
    const scans = sites !== undefined && hasTurns(this.#mix);
    const picks = scans ? this.#bestOfAll(field, turn, count, sites) : [];
    while (picks.length < count && !scans) {
      const pick = this.#first(field, turn, sites);
      if (pick === undefined) break;
      picks.push(pick);
      if (picks.length < count) overlay(pick.slot, infeasible);
    }
    for (const [group, leaf, score] of undo.reverse()) group.tree.show(leaf, score);
    return { picks, ...this.#tally(field, sites) };
  }

  // ---- what changed ----

  #catchUp(field: Field): void {
    const { slots, shape, changes } = field;
    if (this.#shape !== shape) this.#build(field);
    else if (changes.knows(this.#cursor) && changes.end - this.#cursor <= slots.length) {
      for (let place = this.#cursor; place < changes.end; place++) this.#look(slots[changes.at(place)] as Slot);
    } else for (const slot of slots) this.#look(slot);
    this.#cursor = changes.end;
  }

  #build({ slots, shape }: Field): void {
    this.#shape = shape;
    const { length } = slots;
    const bySite = new Map<string, Group>();
    this.#groupOf = new Int32Array(length);
    this.#leafOf = new Int32Array(length);
    this.#version = new Int32Array(length).fill(-1);
    this.#profileVersion = new Int32Array(length).fill(-1);
    this.#fixedCode = new Uint8Array(length);
    this.#code = new Uint8Array(length);
    this.#counts = new Array(this.#codes.length + 1).fill(0);
    this.#groups = [];
    for (const { rank, site } of slots) {
      const key = this.#bySite ? site : '';
      let group = bySite.get(key);
      if (group === undefined) {
        group = { site: key, ranks: [], tree: new ScoreTree(0), eligible: 0 };
        bySite.set(key, group);
        this.#groups.push(group);
      }
      this.#groupOf[rank] = this.#groups.indexOf(group);
      this.#leafOf[rank] = group.ranks.length;
      group.ranks.push(rank);
    }
    for (const group of this.#groups) group.tree = new ScoreTree(group.ranks.length);
    this.#counts[fits] = length;
    this.#rejected = undefined;
    for (const group of this.#groups) group.eligible = group.ranks.length;
    for (const slot of slots) this.#look(slot);
  }

  /** Judges a node anew, if it is another than at the last look. */
  #look(slot: Slot): void {
    const { rank, version, profileVersion } = slot;
    if (this.#version[rank] === version) return;
    this.#version[rank] = version;
    const group = this.#groups[this.#groupOf[rank] as number] as Group;
    if (this.#profileVersion[rank] !== profileVersion) {
      this.#profileVersion[rank] = profileVersion;
      const before = this.#fixedCode[rank] as number;
      const after = firstRejecting(this.#fixed, slot, this.#need);
      this.#fixedCode[rank] = after;
      group.eligible += Number(after === fits) - Number(before === fits);
    }
    let code = this.#fixedCode[rank] as number;
    if (code === fits) {
      code = firstRejecting(this.#moving, slot, this.#need);
      if (code !== fits) code += this.#fixed.length;
    }
    const before = this.#code[rank] as number;
    if (code !== before) {
      this.#code[rank] = code;
      (this.#counts[before] as number) -= 1;
      (this.#counts[code] as number) += 1;
      this.#rejected = undefined;
    }
    const leaf = this.#leafOf[rank] as number;
    if (code === fits) group.tree.set(leaf, nodeTotal(this.#mix, slot, this.#need));
    else if (before === fits) group.tree.set(leaf, infeasible);
  }

  // ---- what is best ----

  #first(field: Field, turn: number, sites: SiteSpread | undefined): Pick | undefined {
    const total: Turns['total'] = (turnsUntil, feasible) => turnTotal(this.#mix, turnsUntil, feasible);
    if (sites !== undefined) return this.#firstOfSites(field, sites);
    const [group] = this.#groups;
    const best = hasTurns(this.#mix) ? group?.tree.firstInTurn({ turn, total }) : group?.tree.first();
    // One group has them all, so that a leaf is a rank.
    return best && { slot: field.slots[best.leaf] as Slot, total: best.total };
  }

  #firstOfSites({ slots }: Field, sites: SiteSpread): Pick | undefined {
    let found: Pick | undefined;
    for (const { site, ranks, tree } of this.#groups) {
      if (sites.whyNot(site, this.#need) !== undefined) continue;
      const best = tree.first();
      if (best === undefined) continue;
      const slot = slots[ranks[best.leaf] as number] as Slot;
      const total = best.total + siteTotal(this.#mix, sites.standing(site));
      const isBetter =
        found === undefined || total > found.total || (total === found.total && slot.rank < found.slot.rank);
      if (isBetter) found = { slot, total };
    }
    return found;
  }

  /** Turns go through all sites, and so does no tree: every node is looked at. */
  #bestOfAll({ slots }: Field, turn: number, count: number, sites: SiteSpread): Pick[] {
    const open = this.#groups.map(({ site }) => sites.whyNot(site, this.#need) === undefined);
    const shared = this.#groups.map(({ site }) => siteTotal(this.#mix, sites.standing(site)));
    const feasible = this.#groups.reduce((sum, { tree }, at) => sum + (open[at] === true ? tree.feasible : 0), 0);
    const picks: Pick[] = [];
    let place = 0;
    for (const slot of slots) {
      const at = this.#groupOf[slot.rank] as number;
      if (this.#code[slot.rank] !== fits || open[at] !== true) continue;
      const turnsUntil = turnsUntilPlace(place, turn, feasible);
      place += 1;
      const score = (this.#groups[at] as Group).tree.scoreOf(this.#leafOf[slot.rank] as number);
      const total = score + (shared[at] as number) + turnTotal(this.#mix, turnsUntil, feasible);
      const worse = picks.findIndex((pick) => pick.total < total);
      if (worse === -1 && picks.length >= count) continue;
      picks.splice(worse === -1 ? picks.length : worse, 0, { slot, total });
      if (picks.length > count) picks.pop();
    }
    return picks;
  }

  #spread(field: Field): SiteSpread {
    const eligible = this.#groups.filter((group) => group.eligible > 0).map(({ site }) => site);
    return new SiteSpread(field.siteCounts(this.#need.agentType), eligible);
  }

  #tally({ slots }: Field, sites: SiteSpread | undefined): Omit<Answer, 'picks'> {
    this.#rejected ??= this.#rejections();
    let feasible = this.#counts[fits] ?? 0;
    if (sites === undefined || slots.length === 0) return { feasible, rejected: this.#rejected };
    let spread = 0;
    for (const { site, tree } of this.#groups) {
      if (sites.whyNot(site, this.#need) !== undefined) spread += tree.feasible;
    }
    feasible -= spread;
    return { feasible, rejected: spread === 0 ? this.#rejected : { ...this.#rejected, spread } };
  }

  #rejections(): Rejections {
    const rejected: Partial<Record<ReasonCode, number>> = {};
    for (const [at, code] of this.#codes.entries()) {
      const count = this.#counts[at + 1] ?? 0;
      if (count > 0) rejected[code] = count;
    }
    return rejected;
  }
}

/** One above the place of the first filter that rejects; 0 when none does. */
function firstRejecting(among: readonly Filter[], slot: Slot, need: Need): number {
  for (let at = 0; at < among.length; at++) if (among[at]?.rejects(slot, need) === true) return at + 1;
  return fits;
}
