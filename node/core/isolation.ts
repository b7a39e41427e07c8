/**
 * What an agent of the runtime `worker` shares with nobody else: `agent` has a thread of its own, `type` one with others of
 * its type, which is cheaper, and all of them fail when one breaks it.
 */
export const isolations = ['agent', 'type'] as const;
export type Isolation = (typeof isolations)[number];
