/** Questions about calls, and series for charts made of the answers. */
import type { Schemas } from "@gateline/api-client";

export type AnalyticsAnswer = Schemas["AnalyticsAnswer"];
export type AnalyticsRow = Schemas["AnalyticsRow"];
type Query = Schemas["AnalyticsQuery"];
export type Measure = Query["measures"][number];

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A choice of time: how long ago it begins and how it is divided. */
export interface Span {
  title: string;
  /** How long, in milliseconds. */
  length: number;
  granularity: "minute" | "hour" | "day";
}

/** The choices, by the name that stands in the address. */
export const spans = {
  hour: { title: "Last hour", length: HOUR, granularity: "minute" },
  day: { title: "Last 24 hours", length: DAY, granularity: "hour" },
  week: { title: "Last 7 days", length: 7 * DAY, granularity: "hour" },
  month: { title: "Last 30 days", length: 30 * DAY, granularity: "day" },
  quarter: { title: "Last 90 days", length: 90 * DAY, granularity: "day" },
} satisfies Record<string, Span>;

export type SpanName = keyof typeof spans;

/** Whether a text names a choice. */
export const isSpan = (name: string | undefined): name is SpanName => name !== undefined && Object.hasOwn(spans, name);

/** The reader's time zone, if its days begin with an hour in UTC: older sums are told apart by whole hours. */
export function zone(now = new Date()): string {
  return now.getTimezoneOffset() % 60 === 0 ? Intl.DateTimeFormat().resolvedOptions().timeZone : "UTC";
}

/** The beginning of a minute or hour. */
const floor = (at: number, step: number) => Math.floor(at / step) * step;

/** The time of a choice, up to the end of the span that is not over yet. */
export function timeOf({ length, granularity }: Span, now = Date.now()): Pick<Query, "from" | "to"> {
  const step = granularity === "minute" ? MINUTE : HOUR;
  const to = floor(now, step) + step;
  return { from: new Date(to - length).toISOString(), to: new Date(to).toISOString() };
}

/** When the spans of an answer begin; those without calls have no row. */
export function beginsOf(answer: Pick<AnalyticsAnswer, "period">, granularity: Span["granularity"], utc = zone() === "UTC"): number[] {
  const [from, to] = [Date.parse(answer.period.from), Date.parse(answer.period.to)];
  const begins: number[] = [];
  if (granularity === "day") {
    const day = new Date(from);
    if (utc) day.setUTCHours(0, 0, 0, 0);
    else day.setHours(0, 0, 0, 0);
    while (day.getTime() < to) {
      begins.push(day.getTime());
      if (utc) day.setUTCDate(day.getUTCDate() + 1);
      else day.setDate(day.getDate() + 1);
    }
    return begins;
  }
  const step = granularity === "minute" ? MINUTE : HOUR;
  for (let at = floor(from, step); at < to; at += step) begins.push(at);
  return begins;
}

/** A measure of a row; 0 where there is none. */
export const valueOf = (row: AnalyticsRow | undefined, measure: Measure): number => row?.values[measure] ?? 0;

/** The rows by when their span begins. */
export const byTime = (rows: AnalyticsRow[]): Map<number, AnalyticsRow> => new Map(rows.map((row) => [Date.parse(row.time ?? ""), row]));

/** `+12 %` since the time before; nothing if there is nothing to compare with. */
export function change(now: number, before: number | null | undefined): string {
  if (!before) return "";
  const percent = (100 * (now - before)) / before;
  const written = Math.abs(percent) >= 10 ? percent.toFixed(0) : percent.toFixed(1);
  return `${percent > 0 ? "+" : ""}${written.replace("-", "−")} %`;
}
