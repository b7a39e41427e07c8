import { readContainerSpec } from '../core/container-spec.ts';
import { errors } from '../core/errors.ts';
import type { TypeRuntime } from '../core/type-capability.ts';
import type { DeployBody } from './schemas.ts';

/** What runs the type's agents. Throws `bodyMalformed` when that is not said, said twice, or nothing that may be asked for. */
export function runtimeIn({
  runtime,
  interpreter,
  source,
  container,
}: Pick<DeployBody, 'runtime' | 'interpreter' | 'source' | 'container'>): TypeRuntime {
  const needs = { process: 'both "interpreter" and "source"', container: '"container" without "source"' };
  const isProcess = interpreter !== undefined && source !== undefined && container === undefined;
  const isContainer = container !== undefined && source === undefined && interpreter === undefined;
  if (runtime === 'process' && isProcess) return { interpreter };
  if (runtime === 'container' && isContainer) {
    const spec = readContainerSpec(container);
    if (typeof spec !== 'string') return { container: spec };
    throw errors.bodyMalformed({ reason: `in "container": ${spec}` });
  }
  const isNamed = runtime === 'process' || runtime === 'container';
  if (!isNamed && interpreter === undefined && container === undefined) return {};
  const rule = isNamed ? `the runtime "${runtime}" needs ${needs[runtime]}` : 'no runtime is named for it';
  throw errors.bodyMalformed({
    reason: `${rule}; only the runtime "process" takes an "interpreter", only "container" takes a "container"`,
  });
}
