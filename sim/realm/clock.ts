import type { Outside, Tools } from './outside.ts';

/** `Date`, `performance` and `Intl` by the clock of the simulated machine. Runs inside a realm. */
export function installClock({ wallMs, startedMs }: Outside, { define }: Tools): void {
  const RealDate = Date;
  const now = (): number => Math.floor(wallMs());
  const VirtualDate = new Proxy(RealDate, {
    construct: (real, args, made) => Reflect.construct(real, args.length === 0 ? [now()] : args, made) as object,
    apply: () => new RealDate(now()).toString(),
  });
  define('now', () => now(), RealDate);
  define('constructor', VirtualDate, RealDate.prototype);
  define('Date', VirtualDate);

  let passedMs = 0;
  // The wall clock may be set back; this one only goes forward.
  const passed = (): number => {
    passedMs = Math.max(passedMs, wallMs() - startedMs);
    return passedMs;
  };
  define('performance', Object.freeze({ timeOrigin: startedMs, now: passed }));

  const { prototype } = Intl.DateTimeFormat;
  const { formatToParts } = prototype;
  const format = Object.getOwnPropertyDescriptor(prototype, 'format')?.get;
  Object.defineProperty(prototype, 'format', {
    configurable: true,
    get(this: Intl.DateTimeFormat) {
      const real = format?.call(this) as Intl.DateTimeFormat['format'];
      return (date?: Date | number) => real(date ?? now());
    },
  });
  define(
    'formatToParts',
    function (this: Intl.DateTimeFormat, date?: Date | number) {
      return formatToParts.call(this, date ?? now());
    },
    prototype,
  );
  // Production's version of the language has none; a later one would show the real clock.
  Reflect.deleteProperty(globalThis, 'Temporal');
}
