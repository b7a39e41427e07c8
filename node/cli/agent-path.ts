/** Where an agent stands behind the base of the API. */
export const pathOf = (agent: string, rest = ''): string => `/agents/${encodeURIComponent(agent)}${rest}`;
