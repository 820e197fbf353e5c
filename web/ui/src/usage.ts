/** Sums of usage rows. */
import type { Schemas } from "@gateline/api-client";

type Row = Schemas["UsageRow"];

/** What is counted of calls. */
export interface Counts {
  calls: number;
  refused: number;
  client_errors: number;
  server_errors: number;
  bytes_in: number;
  bytes_out: number;
  latency_us: number;
}

const none: Counts = { calls: 0, refused: 0, client_errors: 0, server_errors: 0, bytes_in: 0, bytes_out: 0, latency_us: 0 };

/** The sum of rows. */
export function total(rows: Row[]): Counts {
  const sum = { ...none };
  for (const row of rows) {
    for (const name of Object.keys(none) as (keyof Counts)[]) sum[name] += row[name];
  }
  return sum;
}

/** Sums per group, the largest first. */
export function grouped(rows: Row[], key: (row: Row) => string): (Counts & { id: string; rows: Row[] })[] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) groups.set(key(row), [...(groups.get(key(row)) ?? []), row]);
  return [...groups]
    .map(([id, members]) => ({ id, rows: members, ...total(members) }))
    .toSorted((a, b) => b.calls - a.calls || a.id.localeCompare(b.id));
}

/** One bar of a chart over time. */
export interface Bar {
  /** The beginning of the hour, milliseconds since 1970. */
  at: number;
  answered: number;
  refused: number;
  failed: number;
}

const HOUR = 3_600_000;

/** One bar per hour of the last `hours`, the current one included; hours without calls are zero. */
export function bars(rows: Row[], hours: number, now = Date.now()): Bar[] {
  const last = Math.floor(now / HOUR) * HOUR;
  const found = new Map<number, Bar>();
  for (let at = last - (hours - 1) * HOUR; at <= last; at += HOUR) found.set(at, { at, answered: 0, refused: 0, failed: 0 });
  for (const row of rows) {
    const bar = row.hour ? found.get(Math.floor(new Date(row.hour).getTime() / HOUR) * HOUR) : undefined;
    if (!bar) continue;
    bar.refused += row.refused;
    bar.failed += row.server_errors;
    bar.answered += Math.max(0, row.calls - row.refused - row.server_errors);
  }
  return [...found.values()];
}

/** The beginning of the hour `hours - 1` hours ago: what to ask for to draw `hours` bars. */
export const since = (hours: number, now = Date.now()): string =>
  new Date(Math.floor(now / HOUR) * HOUR - (hours - 1) * HOUR).toISOString();
