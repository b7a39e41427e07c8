import { type ContainerSpec, isSameContainer } from './container-spec.ts';

/** What runs a type's agents: an interpreter its source, a container what is in its image, else a worker thread. */
export interface TypeRuntime {
  /** Runs the source as a process of its own. */
  interpreter?: string | undefined;
  /** Is run in place of a source. */
  container?: ContainerSpec | undefined;
}

/** Names of interpreters, as deploy requests and operators give them. */
export const interpreterPattern = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,62}$/;

/** What a node offers that runs agents with this interpreter. */
export const interpreterCapability = (interpreter: string): string => `interpreter:${interpreter}`;

/** What a node offers that runs agents as containers of this image. */
export const imageCapability = (image: string): string => `container:${image}`;

function runtimeCapability({ interpreter, container }: TypeRuntime): string | undefined {
  if (container !== undefined) return imageCapability(container.image);
  return interpreter === undefined ? undefined : interpreterCapability(interpreter);
}

/** What the nodes of an agent must offer: what was asked for, and what its type needs to run at all. */
export function neededCapabilities(wanted: readonly string[], runtime: TypeRuntime): string[] {
  const own = runtimeCapability(runtime);
  return [...new Set(own === undefined ? wanted : [...wanted, own])];
}

/** Whether agents that live where one runs can go on with the other. */
export const isSameRuntime = (a: TypeRuntime, b: TypeRuntime): boolean => runtimeCapability(a) === runtimeCapability(b);

/** The fields of a runtime that are there. */
export const runtimeOf = ({ interpreter, container }: TypeRuntime) => ({
  ...(interpreter !== undefined && { interpreter }),
  ...(container !== undefined && { container }),
});

/** Whether a type's code and its limits are the same. */
export const isSameCode = (a: TypeRuntime & { source: string }, b: TypeRuntime & { source: string }): boolean =>
  a.source === b.source && isSameContainer(a.container, b.container);

/** In words. */
export const runtimeName = ({ interpreter, container }: TypeRuntime): string =>
  container === undefined ? (interpreter ?? 'worker threads') : `containers of ${container.image}`;
