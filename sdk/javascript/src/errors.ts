/** What went wrong; never thrown into the caller's code, but told to `onError`. */

import type { Problem } from "./evaluation/problems.js";

/** What kind of thing went wrong. */
export type ErrorCode =
  /** The options cannot be right: there is no key, or the address is none. */
  | "options_invalid"
  /** The server was not reached, or did not answer in time. */
  | "unreachable"
  /** The server refuses the key, or what it asks for. */
  | "refused"
  /** The server answers what is not understood. */
  | "answer_invalid"
  /** Some flags cannot be evaluated here; they are answered with the default. */
  | "definitions_invalid"
  /** What was kept, or given as bootstrap, cannot be read or written. */
  | "copy_unusable"
  /** Exposures were given up: the queue was full, or the server does not take them. */
  | "exposures_dropped"
  /** Something of this SDK failed. */
  | "internal";

/** Something that went wrong, and is told once it did. */
export class GatelineError extends Error {
  override readonly name = "GatelineError";
  /** The status of the server's answer, if there was one. */
  readonly status?: number;
  /** When the server wants to be asked again, in milliseconds from then on. */
  readonly retryAfterMs?: number;
  /** What is wrong with definitions. */
  readonly problems?: readonly Problem[];

  constructor(
    readonly code: ErrorCode,
    message: string,
    more: { status?: number; retryAfterMs?: number; problems?: readonly Problem[]; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? {} : { cause: more.cause });
    if (more.status !== undefined) {
      this.status = more.status;
    }
    if (more.retryAfterMs !== undefined) {
      this.retryAfterMs = more.retryAfterMs;
    }
    if (more.problems !== undefined) {
      this.problems = more.problems;
    }
  }
}

/** Takes whatever was thrown as an error of ours. */
export function asGatelineError(error: unknown): GatelineError {
  if (error instanceof GatelineError) {
    return error;
  }
  const message = error instanceof Error ? error.message : String(error);
  return new GatelineError("internal", message, { cause: error });
}
