/** Server-Sent Events: hears of changes as soon as they are made. */

import { Backoff, startTimer } from "./backoff.js";
import { asGatelineError, GatelineError } from "./errors.js";
import { refusal, type Transport } from "./transport.js";

const PATH = "feature-flags/changes";
const LINE_LETTERS_MAX = 65_536;
/** The server says something every fifteen seconds. */
const SILENCE_MS = 45_000;
const BACKOFF_MOST_MS = 60_000;

/** What hears of it. */
export interface StreamListener {
  /** Something has changed, or may have: it is told when the stream begins, too. */
  changed(etag: string | undefined): void;
  failed(error: GatelineError): void;
}

/** Holds a connection and renews it until it is closed. */
export class Stream {
  /** Whether changes would be heard of now. */
  isOpen = false;
  #abort = new AbortController();
  readonly #backoff: Backoff;

  constructor(
    private readonly transport: Transport,
    private readonly listener: StreamListener,
    private readonly options: { isBrowser: boolean; backoffMs: number },
  ) {
    this.#backoff = new Backoff(options.backoffMs, Math.max(BACKOFF_MOST_MS, options.backoffMs));
  }

  /** Connects, and goes on until `close`. */
  async run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      let leastMs: number | undefined;
      try {
        await this.#connect(signal);
      } catch (error) {
        const told = asGatelineError(error);
        leastMs = told.retryAfterMs;
        if (!signal.aborted) {
          this.listener.failed(told);
        }
      }
      this.isOpen = false;
      if (!signal.aborted) {
        await pause(this.#backoff.next(leastMs), signal);
      }
    }
  }

  /** Ends the connection for good. */
  close(): void {
    this.#abort.abort();
  }

  async #connect(closed: AbortSignal): Promise<void> {
    const attempt = new AbortController();
    const end = (): void => attempt.abort();
    closed.addEventListener("abort", end, { once: true });
    let silence = startTimer(end, SILENCE_MS);
    try {
      const response = await this.#open(attempt.signal);
      const reader = response.body?.getReader();
      const lines = new Lines((event, data) => this.#hear(event, data));
      for (;;) {
        const { done = true, value } = (await reader?.read()) ?? {};
        if (done || !value) {
          return;
        }
        clearTimeout(silence);
        silence = startTimer(end, SILENCE_MS);
        lines.take(value);
      }
    } catch (error) {
      throw error instanceof GatelineError
        ? error
        : new GatelineError("unreachable", "The stream of changes broke off.", { cause: error });
    } finally {
      clearTimeout(silence);
      closed.removeEventListener("abort", end);
      attempt.abort();
    }
  }

  async #open(signal: AbortSignal): Promise<Response> {
    // With the key in the address, browsers need not ask first whether they may send a header.
    const { isBrowser } = this.options;
    const address = isBrowser ? this.transport.addressWithKey(PATH) : this.transport.address(PATH);
    const headers = { Accept: "text/event-stream", ...(isBrowser ? {} : this.transport.headers()) };
    const response = await fetch(address, { headers, signal, cache: "no-store", redirect: "error" });
    if (response.ok && response.headers.get("content-type")?.startsWith("text/event-stream")) {
      return response;
    }
    if (response.ok) {
      throw new GatelineError("answer_invalid", "The server answers the stream of changes with something else.");
    }
    throw refusal(response, "");
  }

  #hear(event: string, data: string): void {
    const said = saidIn(data);
    if (event !== "message" || said?.["type"] !== "refetchEvaluation") {
      return;
    }
    this.isOpen = true;
    this.#backoff.reset();
    this.listener.changed(typeof said["etag"] === "string" ? said["etag"] : undefined);
  }
}

/** What an event says: as OFREP has it (ADR 0008). */
function saidIn(data: string): Record<string, unknown> | undefined {
  try {
    const said: unknown = JSON.parse(data);
    return typeof said === "object" && said !== null ? (said as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Puts events together (HTML Living Standard, section 9.2.6). */
class Lines {
  readonly #decoder = new TextDecoder();
  #rest = "";
  #event = "";
  #data: string[] = [];

  constructor(private readonly hear: (event: string, data: string) => void) {}

  take(bytes: Uint8Array): void {
    const text = this.#decoder.decode(bytes, { stream: true });
    // A line that comes in many pieces is not gone through for each of them.
    const mayEnd = /[\r\n]/.test(text) || this.#rest.endsWith("\r");
    // A carriage return at the end may be the first half of an end.
    const lines = mayEnd ? (this.#rest + text).split(/\r\n|\n|\r(?!$)/) : [this.#rest + text];
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > LINE_LETTERS_MAX || this.#data.length > LINE_LETTERS_MAX) {
      throw new GatelineError("answer_invalid", "The stream of changes has a line that is too long.");
    }
    lines.forEach((line) => this.#line(line));
  }

  #line(line: string): void {
    if (line === "") {
      if (this.#data.length > 0) {
        this.hear(this.#event || "message", this.#data.join("\n"));
      }
      this.#event = "";
      this.#data = [];
      return;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") {
      this.#event = value;
    } else if (field === "data") {
      this.#data.push(value);
    }
  }
}

/** Waits, but no longer than until a signal comes. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = startTimer(end, ms);
    signal.addEventListener("abort", end, { once: true });
  });
}
