/**
 * Loads the reference.
 *
 * zod, which it brings along, tries when it is loaded whether it may make functions out of text. Our content security
 * policy refuses that, and the browser reports each try; so it is told before that it may not (zod's `jitless`).
 */
export function loadReference(): Promise<typeof import("./reference")> {
  Object.assign(globalThis, { __zod_globalConfig: { jitless: true } });
  return import("./reference");
}
