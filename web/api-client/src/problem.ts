import type { components } from "./schema";

type Problem = components["schemas"]["Problem"];

/** One thing that is wrong with what was sent; `pointer` is the JSON Pointer of the field. */
export interface FieldError {
  pointer: string;
  detail: string;
  suggestion?: string;
  /** Place in a document, from 1. */
  line?: number;
  column?: number;
}

/** An answer of 400 or more, or none at all (`status` 0): what happened and what to do about it. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly suggestion: string;
  readonly requestId: string;
  readonly page: string | undefined;
  readonly fields: FieldError[];

  constructor(problem: Partial<Problem>) {
    super(problem.detail ?? problem.title ?? "The request failed.");
    this.status = problem.status ?? 0;
    this.code = problem.code ?? "unknown";
    this.title = problem.title ?? "The request failed";
    this.suggestion = problem.suggestion ?? "";
    this.requestId = problem.request_id ?? "";
    this.page = problem.documentation_url ?? undefined;
    this.fields = (problem.errors ?? []).map((error) => ({
      pointer: error.pointer ?? "",
      detail: error.detail ?? "",
      ...(error.suggestion ? { suggestion: error.suggestion } : {}),
      ...(error.line ? { line: error.line } : {}),
      ...(error.column ? { column: error.column } : {}),
    }));
  }

  /** Whether asking again may help. */
  get transient(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 502;
  }
}

/** Reads the problem out of an answer; what is not `application/problem+json` becomes one as well. */
export async function problemOf(response: Response): Promise<ProblemError> {
  const requestId = response.headers.get("x-request-id") ?? "";
  const text = await response.text();
  try {
    const problem = JSON.parse(text) as Partial<Problem>;
    return new ProblemError({ status: response.status, request_id: requestId, ...problem });
  } catch {
    return new ProblemError({
      status: response.status,
      code: "not_a_problem",
      title: `The server answered ${response.status} ${response.statusText}`.trim(),
      detail: text.slice(0, 300),
      suggestion: "Something between this page and the control plane answered; see its log.",
      request_id: requestId,
    });
  }
}

/** The problem of a request that got no answer. */
export function unreachable(cause: unknown): ProblemError {
  if (cause instanceof ProblemError) return cause;
  return new ProblemError({
    code: "unreachable",
    title: "The control plane does not answer",
    detail: cause instanceof Error ? cause.message : String(cause),
    suggestion: "Check that Gateline is running and that you are online, then try again.",
  });
}
