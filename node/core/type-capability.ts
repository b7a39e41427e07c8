/** Names of interpreters, as deploy requests and operators give them. */
export const interpreterPattern = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,62}$/;

/** What a node offers that runs agents with this interpreter. */
export const interpreterCapability = (interpreter: string): string => `interpreter:${interpreter}`;

/** What the nodes of an agent must offer: what was asked for, and what its type's code needs to run at all. */
export function neededCapabilities(wanted: readonly string[], interpreter: string | undefined): string[] {
  const all = interpreter === undefined ? wanted : [...wanted, interpreterCapability(interpreter)];
  return [...new Set(all)];
}
