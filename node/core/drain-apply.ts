import { type Applied, done, refuse } from './applied.ts';
import type { ClusterState, Member } from './cluster-state.ts';
import type { Drain, DrainCommand } from './drain.ts';
import { errors } from './errors.ts';

type DrainAppliers = {
  [K in DrainCommand['kind']]: (
    state: ClusterState,
    command: Extract<DrainCommand, { kind: K }>,
    index: number,
  ) => Applied;
};

const textMax = 32;

/** What of a drain outlives a new start of its node: what an operator wanted, begun anew. */
export function drainOfNextStart(known: Member | undefined, index: number): Drain | undefined {
  if (known?.drain?.asked !== true) return undefined;
  return { ...known.drain, since: index, stopping: false, overdue: undefined, done: false };
}

/** Applies the decisions about drains; pure, as `apply` is. */
export const drainAppliers: DrainAppliers = {
  drainBegin(state, { node, boot, deadlineMs }, index) {
    const member = state.members.get(node);
    if (member === undefined || member.membership === 'left') return unknown(node);
    const { name } = member.profile;
    const before = member.drain;
    const stopping = boot !== undefined;
    if (stopping && (member.membership !== 'alive' || member.boot !== boot)) return refuse('that start of it is over');
    if (stopping && before?.stopping) return refuse(`node ${name} is stopping already`);
    member.drain = {
      since: index,
      // What was asked to stop keeps the deadline of that.
      deadlineMs: !stopping && before?.stopping ? before.deadlineMs : deadlineMs,
      asked: !stopping || before?.asked === true,
      stopping: stopping || before?.stopping === true,
      overdue: undefined,
      done: false,
    };
    const within = deadlineMs === undefined ? '' : ` within ${deadlineMs / 1_000} s`;
    const text = `${name} is drained${within}: ${stopping ? 'it was asked to stop' : 'an operator wants it'}`;
    return done('drainBegun', text, {
      node,
      name,
      deadlineMs: member.drain.deadlineMs,
      stopping: member.drain.stopping,
    });
  },

  drainUndo(state, { node }) {
    const member = state.members.get(node);
    if (member === undefined || member.membership === 'left') return unknown(node);
    const { name } = member.profile;
    const wasStopping = member.drain?.stopping === true;
    if (member.drain === undefined) return refuse(`node ${name} is not draining`);
    member.drain = undefined;
    const text = `${name} is drained no more${wasStopping ? ', and is not to stop' : ''}: an operator undid it`;
    return done('drainUndone', text, { node, name, wasStopping });
  },

  drainOverdue(state, { node, since, waitsFor }) {
    const member = state.members.get(node);
    const drain = member?.drain;
    if (member === undefined || drain?.since !== since || drain.overdue !== undefined || drain.done)
      return refuse('that drain is over');
    member.drain = { ...drain, overdue: waitsFor.slice(0, textMax) };
    const { name } = member.profile;
    const next = drain.stopping ? 'it leaves all the same' : 'it goes on, and what is left stays where it is meanwhile';
    const text = `${name} was not drained in time: ${next}; it waits for ${waitsFor.join('; ')}`;
    return done('drainOverdue', text, { node, name, waitsFor });
  },

  drainDone(state, { node, since, kept }) {
    const member = state.members.get(node);
    const drain = member?.drain;
    if (member === undefined || drain?.since !== since || drain.done) return refuse('that drain is over');
    for (const { id, placement, active, crashLoop } of state.agents.values()) {
      // Of one that fails again and again elsewhere there is only its state.
      const isThere = placement?.host === node || (active?.host === node && crashLoop === undefined);
      if (isThere) return refuse(`agent ${id} is still there`);
    }
    member.drain = { ...drain, done: true };
    const { name } = member.profile;
    const keeps = kept.length > 0 ? `, and keeps ${kept.join('; ')}` : '';
    return done('drainDone', `${name} is drained: it may be switched off${keeps}`, { node, name, kept });
  },
};

const unknown = (node: string): Applied => ({ ok: false, error: errors.nodeUnknown({ node }) });
