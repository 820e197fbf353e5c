/**
 * The only way from the web pages to the control API.
 *
 * Types come from `schema.d.ts`, which `npm run gen` makes of `spec/openapi.json`. Every failed call throws a
 * [`ProblemError`]; changing calls carry the session's CSRF token and an idempotency key, and every call names the
 * organization that was chosen.
 */
import createFetchClient, { type MaybeOptionalInit } from "openapi-fetch";
import type { MediaType, PathsWithMethod, RequiredKeysOf, ResponseObjectMap, SuccessResponse } from "openapi-typescript-helpers";
import { problemOf, unreachable } from "./problem";
import { type StreamEvent, type StreamQuery, streamOf } from "./events";
import type { components, paths } from "./schema";

export { ProblemError, type FieldError } from "./problem";
export { eventsIn, type StreamEvent, type StreamQuery } from "./events";
export type { paths } from "./schema";

/** The entities, by the names they have in the OpenAPI document. */
export type Schemas = components["schemas"];

const context = { csrfToken: "", organization: "" };

/** Tells the client who is signed in; empty strings for nobody. */
export function setContext(next: Partial<typeof context>): void {
  Object.assign(context, next);
}

/** The organization that calls are about, for what tells answers apart; empty if none was chosen. */
export const organizationOf = (): string => context.organization;

/** The typed client. Prefer [`read`] for queries; use this for changes. */
export const client = createFetchClient<paths>({ baseUrl: globalThis.location?.origin ?? "", credentials: "same-origin" });

client.use({
  onRequest({ request }) {
    if (context.organization) request.headers.set("x-gateline-organization", context.organization);
    if (request.method !== "GET" && request.method !== "HEAD") {
      if (context.csrfToken) request.headers.set("x-csrf-token", context.csrfToken);
      if (request.method === "POST") request.headers.set("idempotency-key", crypto.randomUUID());
    }
    return request;
  },
  async onResponse({ response }) {
    if (!response.ok) throw await problemOf(response);
    return response;
  },
  onError({ error }) {
    return unreachable(error);
  },
});

type Init<P extends PathsWithMethod<paths, "get">> = MaybeOptionalInit<paths[P], "get">;
/** As the document has it: what the client makes of it for fields that are only read takes lists of two for lists. */
type Answer<P extends PathsWithMethod<paths, "get">> =
  ResponseObjectMap<paths[P]["get"]> extends infer Responses extends Record<string | number, unknown> ? NonNullable<SuccessResponse<Responses, MediaType>> : never;

/**
 * A GET as options for TanStack Query: `useQuery(read("/api/v1/apis", { params: { query: { q } } }))`.
 *
 * The key is `[path, init, organization]`, so `invalidateQueries({ queryKey: ["/api/v1/apis"] })` refreshes every
 * page of a list.
 */
export function read<P extends PathsWithMethod<paths, "get">>(
  path: P,
  ...[init]: RequiredKeysOf<Init<P>> extends never ? [Init<P>?] : [Init<P>]
) {
  return {
    queryKey: [path, init ?? {}, context.organization] as const,
    queryFn: async ({ signal }: { signal: AbortSignal }): Promise<Answer<P>> => {
      const get = client.GET as (path: P, init: object) => Promise<{ data?: unknown }>;
      return (await get(path, { ...init, signal })).data as Answer<P>;
    },
  };
}

/** Asks for a text, such as a contract as it was imported. */
export async function readText(path: string, accept: string): Promise<string> {
  const headers: Record<string, string> = { accept };
  if (context.organization) headers["x-gateline-organization"] = context.organization;
  const response = await fetch(path, { headers, credentials: "same-origin" }).catch((cause: unknown) => {
    throw unreachable(cause);
  });
  if (!response.ok) throw await problemOf(response);
  return response.text();
}

/** The events of a stream as they come, after the one with the id `after`. */
export const stream = <P extends Parameters<typeof streamOf>[0]>(
  path: P,
  query: StreamQuery<P>,
  options: { after: string | undefined; signal: AbortSignal },
): AsyncGenerator<StreamEvent[]> => streamOf(path, query, { ...options, organization: context.organization });

/** The answer of a change; every failure was thrown before. */
export function done<T>(answer: { data?: T }): T {
  return answer.data as T;
}

/** The header under which a change is refused when somebody else changed the entity meanwhile. */
export const ifMatch = (entity: { revision: number }): { "If-Match": string } => ({ "If-Match": `"${entity.revision}"` });
