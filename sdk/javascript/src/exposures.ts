/** Tells the server who was given which variant, in batches. */

import { Backoff, startTimer } from "./backoff.js";
import { asGatelineError, GatelineError } from "./errors.js";
import type { Value } from "./evaluation/texts.js";
import type { Transport } from "./transport.js";

/** Exposures are events of this type. */
const TYPE = "flag_exposure";
const PATH = "tracking/events";
/** As many as the server takes at once. */
const BATCH_MAX = 500;
/** As many as a browser sends for a page that is closed: 64 KiB together. */
const LAST_BATCH_MAX = 100;
const QUEUE_MAX = 10_000;
const SEEN_MAX = 10_000;
const BACKOFF_MOST_MS = 60_000;
/** Answers after which the same may be taken later; after others it never will. */
const RETRIED = new Set([408, 425, 429]);

/** The recorded fact that somebody got a variant. */
export interface Exposure {
  readonly flag: string;
  readonly variant: string;
  readonly flag_version: number;
  /** The attribute that the split goes by. */
  readonly by: string;
  /** Its value: who it is. */
  readonly unit: string;
  readonly attributes?: Readonly<Record<string, Value>>;
}

/** One that waits: told twice, it counts once by its id. */
interface Waiting extends Exposure {
  readonly id: string;
  readonly time: string;
}

/** When exposures are sent. */
export interface ExposureOptions {
  /** After so long. */
  readonly flushMs: number;
  /** As soon as so many wait. */
  readonly flushAt: number;
  /** The same unit, flag and variant are told once in so long. */
  readonly windowMs: number;
  readonly backoffMs: number;
}

/** Exposures that wait. */
export class Exposures {
  #queue: Waiting[] = [];
  readonly #seen = new Map<string, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sending: Promise<void> | undefined;
  #notBefore = 0;
  #isClosed = false;
  readonly #backoff: Backoff;

  constructor(
    private readonly transport: Transport,
    private readonly options: ExposureOptions,
    private readonly failed: (error: GatelineError) => void,
  ) {
    this.#backoff = new Backoff(options.backoffMs, Math.max(BACKOFF_MOST_MS, options.backoffMs));
  }

  /** Takes one in, unless it was told lately. */
  add(exposure: Exposure): void {
    const now = Date.now();
    const name = JSON.stringify([exposure.by, exposure.unit, exposure.flag, exposure.variant]);
    const before = this.#seen.get(name);
    if (this.#isClosed || (before !== undefined && now - before < this.options.windowMs)) {
      return;
    }
    this.#seen.delete(name);
    this.#seen.set(name, now);
    if (this.#seen.size > SEEN_MAX) {
      this.#seen.delete(this.#seen.keys().next().value ?? name);
    }
    if (this.#queue.length >= QUEUE_MAX) {
      this.#queue.shift();
      this.failed(new GatelineError("exposures_dropped", `More than ${QUEUE_MAX} exposures wait; the oldest is dropped.`));
    }
    this.#queue.push({ id: newId(), time: new Date(now).toISOString(), ...exposure });
    this.#plan(this.#queue.length >= this.options.flushAt ? 0 : this.options.flushMs);
  }

  #plan(ms: number): void {
    if (this.#timer !== undefined && ms > 0) {
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = startTimer(() => void this.flush(), Math.max(ms, this.#notBefore - Date.now()));
  }

  /** Sends what waits; resolves once that is done, or has to wait longer. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
    return this.#sending;
  }

  async #sendAll(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, BATCH_MAX);
      try {
        await this.transport.call(PATH, { body: { events: batch.map(eventOf) } });
        this.#backoff.reset();
        this.#notBefore = 0;
      } catch (error) {
        if (this.#failedWith(asGatelineError(error), batch)) {
          return;
        }
      }
    }
  }

  /** Puts a batch back if it may be taken later, and says whether to wait until then. */
  #failedWith(error: GatelineError, batch: readonly Waiting[]): boolean {
    const { status = 0 } = error;
    if (status >= 400 && status < 500 && !RETRIED.has(status)) {
      const message = `The server does not take ${batch.length} exposures: ${error.message}`;
      this.failed(new GatelineError("exposures_dropped", message, { status, cause: error }));
      return false;
    }
    this.#queue = [...batch, ...this.#queue].slice(-QUEUE_MAX);
    const wait = this.#backoff.next(error.retryAfterMs);
    this.#notBefore = Date.now() + wait;
    this.failed(error);
    if (!this.#isClosed) {
      this.#plan(wait);
    }
    return true;
  }

  /** Sends what waits though the page may be gone at once; what fails waits again. */
  flushBeforeHiding(): void {
    const waiting = this.#queue;
    this.#queue = [];
    for (let at = 0; at < waiting.length; at += LAST_BATCH_MAX) {
      const batch = waiting.slice(at, at + LAST_BATCH_MAX);
      const call = this.transport.call(PATH, { body: { events: batch.map(eventOf) }, keepalive: true });
      call.catch((error: unknown) => this.#failedWith(asGatelineError(error), batch));
    }
  }

  /** Sends what waits, once, and takes in no more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.flush();
    clearTimeout(this.#timer);
    if (this.#queue.length > 0) {
      const message = `${this.#queue.length} exposures could not be sent before the end.`;
      this.failed(new GatelineError("exposures_dropped", message));
    }
  }
}

/** What is told of an exposure. */
function eventOf({ id, time, unit, ...properties }: Waiting): object {
  return { type: TYPE, id, time, user_id: unit, properties };
}

/** Makes an id; `randomUUID` is not there on pages without TLS. */
function newId(): string {
  if (typeof crypto.randomUUID === "function") {
    return crypto.randomUUID();
  }
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  // Version 4 (RFC 9562, section 5.4).
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
