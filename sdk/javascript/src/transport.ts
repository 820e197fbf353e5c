/** Calls of the server. */

import { retryAfterMs } from "./backoff.js";
import { GatelineError } from "./errors.js";

/** Bytes of an answer that are read. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
const DETAIL_LETTERS_MAX = 500;

/** An answer of the server: what it says, or that nothing has changed. */
export type Answer =
  | { readonly isNew: true; readonly body: unknown; readonly etag: string | undefined }
  | { readonly isNew: false };

/** What a call can say beside its path. */
export interface Call {
  readonly body?: unknown;
  /** The tag of what is known already. */
  readonly etag?: string | undefined;
  /** The call outlives the page. */
  readonly keepalive?: boolean;
}

/** Calls a server with an SDK key. */
export class Transport {
  readonly #base: string;

  /** Throws a `GatelineError` if there is no key, or the address is none. */
  constructor(
    url: string,
    private readonly key: string,
    private readonly timeoutMs: number,
  ) {
    if (typeof key !== "string" || key === "") {
      throw new GatelineError("options_invalid", "There is no `key`.");
    }
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
      throw new GatelineError("options_invalid", `This is not the address of a server: ${String(url)}`);
    }
    this.#base = url.replace(/[/?#]+$/, "");
  }

  /** Says the address of a path. */
  address(path: string): string {
    return `${this.#base}/api/v1/${path}`;
  }

  /** Says the headers of every call. */
  headers(): Record<string, string> {
    return { "X-API-Key": this.key };
  }

  /** Says the address of a path with the key in it, for calls that browsers are not to ask permission for. */
  addressWithKey(path: string): string {
    return `${this.address(path)}?key=${encodeURIComponent(this.key)}`;
  }

  /** Asks, or sends a body if there is one; throws a `GatelineError` unless the answer is a good one. */
  async call(path: string, { body, etag, keepalive = false }: Call = {}): Promise<Answer> {
    const headers = this.headers();
    if (etag !== undefined) {
      headers["If-None-Match"] = etag;
    }
    if (body !== undefined) {
      headers["Content-Type"] = "application/json";
    }
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), this.timeoutMs);
    try {
      const response = await fetch(this.address(path), {
        method: body === undefined ? "GET" : "POST",
        headers,
        keepalive,
        // The tag is ours to send; a cache between would answer 200 in place of 304.
        cache: "no-store",
        // A key goes to the server that was named, and to no other.
        redirect: "error",
        signal: abort.signal,
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      return await read(response);
    } catch (error) {
      throw error instanceof GatelineError ? error : unreachable(this.address(path), error);
    } finally {
      clearTimeout(timer);
    }
  }
}

async function read(response: Response): Promise<Answer> {
  if (response.status === 304) {
    return { isNew: false };
  }
  const text = await readText(response);
  if (!response.ok) {
    throw refusal(response, text);
  }
  try {
    const body: unknown = text === "" ? undefined : JSON.parse(text);
    return { isNew: true, body, etag: response.headers.get("etag") ?? undefined };
  } catch (error) {
    throw new GatelineError("answer_invalid", "The server's answer is no JSON.", { cause: error });
  }
}

async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for (const reader = response.body?.getReader(); reader; ) {
    const { done, value } = await reader.read();
    if (done) {
      break;
    }
    bytes += value.byteLength;
    if (bytes > ANSWER_BYTES_MAX) {
      await reader.cancel();
      throw new GatelineError("answer_invalid", `The server's answer is larger than ${ANSWER_BYTES_MAX} bytes.`);
    }
    text += decoder.decode(value, { stream: true });
  }
  return text + decoder.decode();
}

/** Says why the server refuses: it may be told as a problem (RFC 9457). */
export function refusal(response: Response, text: string): GatelineError {
  let detail = "";
  try {
    const problem: unknown = JSON.parse(text);
    if (typeof problem === "object" && problem !== null && "detail" in problem) {
      detail = `: ${String(problem.detail).slice(0, DETAIL_LETTERS_MAX)}`;
    }
  } catch {
    // A proxy's page says nothing that would help.
  }
  const wait = retryAfterMs(response.headers.get("retry-after"));
  return new GatelineError("refused", `The server answers ${response.status}${detail}`, {
    status: response.status,
    ...(wait !== undefined && { retryAfterMs: wait }),
  });
}

function unreachable(address: string, cause: unknown): GatelineError {
  const isTimeout = cause instanceof Error && cause.name === "AbortError";
  const why = isTimeout ? "it does not answer in time" : cause instanceof Error ? cause.message : String(cause);
  return new GatelineError("unreachable", `${address} cannot be asked: ${why}`, { cause });
}
