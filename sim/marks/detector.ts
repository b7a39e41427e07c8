import type { Hooks } from './hooks.ts';
import type { Scene } from './scene.ts';

/**
 * Looks for one rare thing from outside and says `hit` each time that it happened. It only looks: no draw, no plan, no
 * change of the world. What the scene says at a hook is how things were before what the hook tells.
 */
export type Detector = (scene: Scene, hit: () => void) => Hooks;
