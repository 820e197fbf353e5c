/** How a client is set up. */

import type { Cache } from "./cache.js";
import type { Context } from "./context.js";
import type { GatelineError } from "./errors.js";

/** How a client is set up; the address and the key are enough. */
export interface Options {
  /** Where Gateline is, its control plane or a gateway node, as `https://gateline.example`. */
  readonly url: string;
  /** Where exposures are sent. `url` if it is not said. */
  readonly eventsUrl?: string;
  /** An SDK key: it says the environment. */
  readonly key: string;
  /**
   * Where flags are evaluated: `local`, by definitions, which only server keys may read, or `remote`, by the server.
   * `remote` in browsers and `local` elsewhere, if it is not said.
   */
  readonly evaluation?: "local" | "remote";
  /** What is known of everybody who is asked about; what is said with a question comes before it. */
  readonly context?: Context;
  /** What is answered by until the server has: definitions for `local`, an answer of `evaluate` for `remote`. */
  readonly bootstrap?: unknown;
  /** Where what the server said last is kept. In browsers the `localStorage`, unless this is `false`. */
  readonly cache?: Cache | false;
  /** Whether changes are heard of at once; otherwise by asking every `pollMs`. True if it is not said. */
  readonly streaming?: boolean;
  /** How often is asked while changes are not heard of. 30 s; at least 1 s. */
  readonly pollMs?: number;
  /** How long a question waits for the server at most, until it is answered by what is there. 3 s. */
  readonly timeoutMs?: number;
  /** Who was given which variant: of `split`s, of `all` flags, or of `none`. Of splits if it is not said. */
  readonly exposures?: "split" | "all" | "none";
  /** Attributes that are told with an exposure, by the names that flags have. None if it is not said. */
  readonly exposureAttributes?: readonly string[];
  /** The attribute that says who it is where no split decided. `user_id` if it is not said. */
  readonly unit?: string;
  /** How long exposures wait at most. 10 s. */
  readonly flushMs?: number;
  /** How many exposures are sent at once without waiting. 100. */
  readonly flushAt?: number;
  /** The same unit, flag and variant are told once in this time. An hour. */
  readonly exposureWindowMs?: number;
  /** The first wait after a failure; it doubles up to a minute. 1 s. */
  readonly backoffMs?: number;
  /** Is told what goes wrong; the console otherwise, the same at most once a minute. */
  readonly onError?: (error: GatelineError) => void;
}

/** What holds for a client, said or not. */
export interface Settings extends Options {
  readonly isBrowser: boolean;
  readonly evaluation: "local" | "remote";
  readonly context: Context;
  readonly streaming: boolean;
  readonly pollMs: number;
  readonly timeoutMs: number;
  readonly exposures: "split" | "all" | "none";
  readonly exposureAttributes: readonly string[];
  readonly unit: string;
  readonly flushMs: number;
  readonly flushAt: number;
  readonly exposureWindowMs: number;
  readonly backoffMs: number;
  readonly onError: (error: GatelineError) => void;
}

const POLL_LEAST_MS = 1000;
const REPEATED_MS = 60_000;

/** Adds what is not said. */
export function settingsOf(options: Options): Settings {
  const isBrowser = typeof document !== "undefined";
  return {
    ...options,
    isBrowser,
    evaluation: options.evaluation ?? (isBrowser ? "remote" : "local"),
    context: options.context ?? {},
    streaming: options.streaming ?? true,
    pollMs: Math.max(options.pollMs ?? 30_000, POLL_LEAST_MS),
    timeoutMs: options.timeoutMs ?? 3000,
    exposures: options.exposures ?? "split",
    exposureAttributes: options.exposureAttributes ?? [],
    unit: options.unit ?? "user_id",
    flushMs: options.flushMs ?? 10_000,
    flushAt: options.flushAt ?? 100,
    exposureWindowMs: options.exposureWindowMs ?? 3_600_000,
    backoffMs: options.backoffMs ?? 1000,
    onError: options.onError ?? warn(),
  };
}

/** Writes to the console, but not the same again and again. */
function warn(): (error: GatelineError) => void {
  const told = new Map<string, number>();
  return (error) => {
    const before = told.get(error.code);
    if (before === undefined || Date.now() - before >= REPEATED_MS) {
      told.set(error.code, Date.now());
      console.warn(`gateline: ${error.message}`);
    }
  };
}
