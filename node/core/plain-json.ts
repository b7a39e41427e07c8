const nestingMax = 200;

/**
 * Where and why a value would not come back from JSON as what it is, such as `.bids is a Map`; undefined when it
 * would. JSON itself turns a Map into {} and NaN into null without a word, and the loss would show after a recovery.
 * `plain` is the prototype of plain objects where the value was made. Throws a TypeError when the value has no end.
 */
export function whyNotJson(value: unknown, plain: object = Object.prototype, nesting = 0): string | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return undefined;
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : ` is ${value}`;
  if (typeof value !== 'object') return ` is ${value === undefined ? 'undefined' : `a ${typeof value}`}`;
  if (nesting >= nestingMax) throw new TypeError(`it is nested more than ${nestingMax} deep, or in a circle`);
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at++) {
      const why = whyNotJson(value[at], plain, nesting + 1);
      if (why !== undefined) return `[${at}]${why}`;
    }
    return undefined;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== plain && prototype !== null) return ` is a ${value.constructor?.name ?? 'class'}`;
  for (const [key, part] of Object.entries(value)) {
    // A field that is undefined is the same as none.
    const why = part === undefined ? undefined : whyNotJson(part, plain, nesting + 1);
    if (why !== undefined) return `.${key}${why}`;
  }
  return undefined;
}
