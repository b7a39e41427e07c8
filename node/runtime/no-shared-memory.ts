/** Of `WebAssembly`, which the types of Node do not know. */
type MemoryClass = new (descriptor: { shared?: unknown }) => object;

/**
 * Takes from a thread what shares memory between threads: that belongs to none of them, so no limit of one counts it. To be
 * called before an agent's module is loaded.
 */
export function refuseSharedMemory(): void {
  Reflect.deleteProperty(globalThis, 'SharedArrayBuffer');
  const assembly = (globalThis as unknown as { WebAssembly: { Memory: MemoryClass } }).WebAssembly;
  const Unshared: MemoryClass = new Proxy(assembly.Memory, {
    construct(target, [descriptor], newTarget) {
      if (descriptor?.shared) throw new TypeError('an agent has no shared memory');
      return Reflect.construct(target, [descriptor], newTarget === Unshared ? target : newTarget);
    },
  });
  Object.defineProperty(assembly.Memory.prototype, 'constructor', { value: Unshared });
  Object.defineProperty(assembly, 'Memory', { value: Unshared });
}
