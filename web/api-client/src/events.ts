/** Server-sent events with the organization that was chosen, which the browser's `EventSource` cannot name. */
import { problemOf, unreachable } from "./problem";
import type { paths } from "./schema";

/** One event. */
export interface StreamEvent {
  name: string;
  /** What to go on after. */
  id?: string;
  data: unknown;
}

type Streams = "/api/v1/analytics/calls" | "/api/v1/analytics/live";

/** What a stream can be asked for. */
export type StreamQuery<P extends Streams> = NonNullable<paths[P]["get"]["parameters"]["query"]>;

/** Takes the events out of a text that comes in pieces: what is complete, and the rest. */
export function eventsIn(text: string): [events: StreamEvent[], rest: string] {
  const blocks = text.split("\n\n");
  const rest = blocks.pop() ?? "";
  const events = blocks.flatMap((block): StreamEvent[] => {
    const lines = block.split("\n");
    const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
    const [name, id, data] = [field("event"), field("id"), field("data")];
    return name && data !== undefined ? [{ name, ...(id !== undefined && { id }), data: JSON.parse(data) as unknown }] : [];
  });
  return [events, rest];
}

/** The events of a stream until it ends; throws a `ProblemError` if the server refuses or the connection breaks. */
export async function* streamOf<P extends Streams>(
  path: P,
  query: StreamQuery<P>,
  { organization, after, signal }: { organization: string; after: string | undefined; signal: AbortSignal },
): AsyncGenerator<StreamEvent[]> {
  const asked = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]));
  const headers: Record<string, string> = { accept: "text/event-stream" };
  if (organization) headers["x-gateline-organization"] = organization;
  if (after) headers["last-event-id"] = after;
  const response = await fetch(`${path}?${asked}`, { headers, signal, credentials: "same-origin" }).catch((cause: unknown) => {
    throw unreachable(cause);
  });
  if (!response.ok || !response.body) throw await problemOf(response);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read().catch((cause: unknown) => {
      throw unreachable(cause);
    });
    if (done) return;
    const [events, rest] = eventsIn(text + value);
    text = rest;
    if (events.length > 0) yield events;
  }
}
