import { ProblemError, type StreamEvent, type StreamQuery, stream } from "@gateline/api-client";
import { useEffect, useRef, useState } from "react";

type Path = Parameters<typeof stream>[0];

/** How a stream is. */
export type Connection = { is: "opening" } | { is: "open" } | { is: "broken"; why: string } | { is: "refused"; error: ProblemError };

/** The wait before a stream is opened again, in milliseconds; it doubles up to the second. */
const [WAIT_MIN, WAIT_MAX] = [1000, 30_000];

/** Waits, unless the signal comes before. */
const pause = (length: number, signal: AbortSignal) =>
  new Promise<void>((over) => {
    const timer = setTimeout(over, length);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      over();
    });
  });

/** Listens to a stream until the signal comes, and opens it again where it broke. */
async function listen<P extends Path>(
  path: P,
  query: StreamQuery<P>,
  { signal, heard, told }: { signal: AbortSignal; heard: (events: StreamEvent[]) => void; told: (connection: Connection) => void },
): Promise<void> {
  let after: string | undefined;
  for (let wait = WAIT_MIN; !signal.aborted; wait = Math.min(2 * wait, WAIT_MAX)) {
    let why = "The connection ended.";
    try {
      for await (const events of stream(path, query, { after, signal })) {
        wait = WAIT_MIN;
        told({ is: "open" });
        after = events.findLast(({ id }) => id !== undefined)?.id ?? after;
        heard(events);
        const end = events.find(({ name }) => name === "end");
        if (end) why = (end.data as { detail: string }).detail;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ProblemError && !error.transient) {
        told({ is: "refused", error });
        return;
      }
      why = (error as Error).message;
    }
    if (signal.aborted) return;
    told({ is: "broken", why });
    await pause(wait, signal);
  }
}

/**
 * Listens to a stream while the component is shown; `heard` gets what came together. Whoever asks for something else, or
 * for another organization, makes another component of it (`key`).
 */
export function useEvents<P extends Path>(path: P, query: StreamQuery<P>, heard: (events: StreamEvent[]) => void): Connection {
  const [connection, setConnection] = useState<Connection>({ is: "opening" });
  const listener = useRef(heard);
  useEffect(() => {
    listener.current = heard;
  });
  const asked = JSON.stringify(query);
  useEffect(() => {
    const control = new AbortController();
    void listen(path, JSON.parse(asked) as StreamQuery<P>, {
      signal: control.signal,
      heard: (events) => listener.current(events),
      told: setConnection,
    });
    return () => control.abort();
  }, [path, asked]);
  return connection;
}
