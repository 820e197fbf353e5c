/** A value that is being written along a JSON Schema, in a form or as JSON. */
import { ProblemError } from "@gateline/api-client";
import { beginning, missing, shapeOf } from "./schema";

/** A value that is being written; `text` is there while it is written as JSON. */
export interface Draft {
  value: unknown;
  text?: string;
}

/** What a new value begins with: the schema's example, or what must be there. */
export function draftOf(schema: unknown): Draft {
  const { examples } = (schema ?? {}) as { examples?: unknown[] };
  return { value: examples?.[0] ?? beginning(shapeOf(schema)) ?? {} };
}

/** A value as people read JSON. */
export const print = (value: unknown): string => JSON.stringify(value ?? null, null, 2);

/** Reads the JSON of a draft, or says why it is none. */
export function parsed(text: string): { value: unknown } | { wrong: string } {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch (error) {
    return { wrong: `This is not JSON: ${(error as Error).message}` };
  }
}

/**
 * The value of a draft, to be sent at `pointer` of a request's body.
 *
 * @throws ProblemError when its text is not JSON, or when something is missing that the schema wants; it points to the
 * place, as the API's answers do.
 */
export function finished(schema: unknown, draft: Draft, pointer: string): unknown {
  const read = draft.text === undefined ? { value: draft.value } : parsed(draft.text);
  const found = "wrong" in read ? [{ pointer: "", detail: read.wrong }] : missing(shapeOf(schema), read.value);
  if (found.length === 0 && "value" in read) return read.value;
  throw new ProblemError({
    code: "request_invalid",
    title: "The configuration is not complete",
    errors: found.map((each) => ({ code: "field_invalid", suggestion: "", ...each, pointer: pointer + each.pointer })),
  });
}
