/** When to try again. */

/** Waits that grow and are drawn at random, so that clients that failed together do not come back together. */
export class Backoff {
  #failures = 0;

  constructor(
    readonly firstMs: number,
    readonly mostMs: number,
  ) {}

  /** Says how long to wait after one more failure; at least as long as the server wants, if it said so. */
  next(leastMs = 0): number {
    const ceiling = Math.min(this.mostMs, this.firstMs * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 30);
    return leastMs + ceiling * (0.5 + Math.random() / 2);
  }

  /** Forgets failures: it worked. */
  reset(): void {
    this.#failures = 0;
  }
}

/** The longest wait that a server can ask for. */
const RETRY_AFTER_MAX_MS = 300_000;

/** Reads `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3). */
export function retryAfterMs(header: string | null): number | undefined {
  if (header === null) {
    return undefined;
  }
  const wait = /^[0-9]+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(wait) ? Math.min(Math.max(wait, 0), RETRY_AFTER_MAX_MS) : undefined;
}

/** Starts a timer that does not keep a process of Node alive. */
export function startTimer(run: () => void, ms: number): ReturnType<typeof setTimeout> {
  const timer: unknown = setTimeout(run, ms);
  if (typeof timer === "object" && timer !== null && "unref" in timer && typeof timer.unref === "function") {
    timer.unref();
  }
  return timer as ReturnType<typeof setTimeout>;
}
