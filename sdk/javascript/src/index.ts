/**
 * Feature flags of Gateline, for browsers and Node.
 *
 * `new Gateline({url, key})` is where to start; what is kept in files is in `@gateline/sdk/node`, providers of OpenFeature
 * are in `@gateline/sdk/openfeature`.
 */

export type { Cache } from "./cache.js";
export { Gateline } from "./client.js";
export type { Context, ContextValue } from "./context.js";
export { attributeName } from "./context.js";
export type { ErrorCode } from "./errors.js";
export { GatelineError } from "./errors.js";
export type { Reason } from "./evaluation/flags.js";
export type { Problem } from "./evaluation/problems.js";
export type { Options } from "./options.js";
export type { AnyFlags, Details, DetailsError, JsonValue } from "./types.js";
