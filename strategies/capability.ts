const form = /^([^<>=]+)(>=|<=|=|>|<)([0-9]+(?:\.[0-9]+){0,3})$/;

interface Versioned {
  name: string;
  relation: string;
  version: readonly number[];
}

const parsed = new Map<string, Versioned | undefined>();
/** Texts that are kept parsed; all of a cluster's fit many times over. */
const parsedMax = 4_096;

function parse(text: string): Versioned | undefined {
  if (parsed.has(text)) return parsed.get(text);
  const [, name, relation, version] = form.exec(text) ?? [];
  const known =
    name === undefined || relation === undefined || version === undefined
      ? undefined
      : { name, relation, version: version.split('.').map(Number) };
  if (parsed.size >= parsedMax) parsed.clear();
  parsed.set(text, known);
  return known;
}

/** Number by number, what is left out being 0. */
function compare(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

const fits: Record<string, (difference: number) => boolean> = {
  '=': (difference) => difference === 0,
  '>=': (difference) => difference >= 0,
  '<=': (difference) => difference <= 0,
  '>': (difference) => difference > 0,
  '<': (difference) => difference < 0,
};

/**
 * Whether a node that offers these has what is wanted: the same text, or, as in `gpu>=2`, a version in that range. A
 * name without a version is met by any version of it.
 */
export function offers(offered: readonly string[], wanted: string): boolean {
  if (offered.includes(wanted)) return true;
  const want = parse(wanted);
  return offered.some((each) => {
    const have = parse(each);
    if (have?.relation !== '=') return false;
    if (want === undefined) return have.name === wanted;
    return have.name === want.name && fits[want.relation]?.(compare(have.version, want.version)) === true;
  });
}
