/** How numbers, sizes and moments are written, everywhere the same. */

const counts = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const moments = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** `12,345`. */
export const count = (value: number): string => counts.format(value);

/** `1 operation`, `2 operations`. */
export const plural = (value: number, noun: string): string => `${count(value)} ${noun}${value === 1 ? "" : "s"}`;

/** `12.3K`, for places without room. */
export const short = (value: number): string => compact.format(value);

/** `3.2 MB`, in powers of 1000. */
export function bytes(value: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let rest = value;
  let unit = 0;
  while (rest >= 1000 && unit < units.length - 1) {
    rest /= 1000;
    unit += 1;
  }
  return `${unit === 0 || rest >= 100 ? Math.round(rest) : rest.toFixed(1)} ${units[unit]}`;
}

/** An amount of money: hundredths from 1 on, below as many decimals as show three digits. */
export function amount(value: number): string {
  const size = Math.abs(value);
  const decimals = size >= 1 || size === 0 ? 2 : Math.min(8, 2 - Math.floor(Math.log10(size)));
  return value.toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** `320 µs`, `4.2 ms` or `1.30 s`, of microseconds. */
export function duration(us: number): string {
  if (us < 1000) return `${Math.round(us)} µs`;
  if (us < 1_000_000) return `${(us / 1000).toFixed(us < 10_000 ? 1 : 0)} ms`;
  return `${(us / 1_000_000).toFixed(2)} s`;
}

/** `90 s`, `2 hours` or `31 days`, of seconds that are that many of them. */
export function period(seconds: number): string {
  for (const [length, unit] of [[86_400, "day"], [3_600, "hour"], [60, "minute"]] as const) {
    if (seconds >= length && seconds % length === 0) return plural(seconds / length, unit);
  }
  return `${count(seconds)} s`;
}

/** `40 s`, `1.5 h` or `12 d`, of seconds. */
export function interval(seconds: number): string {
  for (const [step, unit] of [[86_400, "d"], [3_600, "h"], [60, "min"]] as const) {
    if (seconds >= step) return `${(seconds / step).toFixed(seconds >= 10 * step ? 0 : 1)} ${unit}`;
  }
  return `${Math.round(seconds)} s`;
}

/** `0.3 %`; a dash when there is nothing to divide by. */
export function share(part: number, whole: number): string {
  if (whole === 0) return "–";
  const percent = (100 * part) / whole;
  return `${percent === 0 || percent >= 10 ? percent.toFixed(0) : percent.toFixed(1)} %`;
}

/** `20 Nov 2026, 12:00`, in the reader's time zone. */
export const moment = (iso: string): string => moments.format(new Date(iso));

/** `5 minutes ago`, `yesterday`. */
export function ago(iso: string, now = Date.now()): string {
  const seconds = (new Date(iso).getTime() - now) / 1000;
  const steps: [Intl.RelativeTimeFormatUnit, number][] = [
    ["day", 86_400],
    ["hour", 3600],
    ["minute", 60],
  ];
  for (const [unit, length] of steps) {
    if (Math.abs(seconds) >= length) return relative.format(Math.round(seconds / length), unit);
  }
  return "just now";
}

/** `1,000 per minute`, of a plan's rate limit. */
export function rate(limit: { requests: number; window_seconds: number } | null | undefined): string {
  if (!limit) return "No limit";
  const names: Record<number, string> = { 1: "second", 60: "minute", 3600: "hour", 86400: "day" };
  const window = names[limit.window_seconds] ?? `${count(limit.window_seconds)} seconds`;
  return `${count(limit.requests)} per ${window}`;
}

/** `1,000,000 per month`, of a plan's quota. */
export function quota(limit: { requests: number; period: string } | null | undefined): string {
  return limit ? `${count(limit.requests)} per ${limit.period}` : "No quota";
}

/** `99.9 % do not fail, 95 % within 300 ms`, of what a plan promises. */
export function serviceLevel(level: { availability?: number | null; latency_p95_ms?: number | null } | null | undefined): string {
  const parts = [
    level?.availability ? `${Number((100 * level.availability).toFixed(5))} % do not fail` : "",
    level?.latency_p95_ms ? `95 % within ${count(level.latency_p95_ms)} ms` : "",
  ];
  return parts.filter(Boolean).join(", ") || "Nothing";
}

/** `Free` or `€12.00 per month`. */
export function price(value: { amount_minor: number; currency: string } | null | undefined): string {
  if (!value || value.amount_minor === 0) return "Free";
  const format = new Intl.NumberFormat("en", { style: "currency", currency: value.currency });
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
  return `${format.format(value.amount_minor / 10 ** digits)} per month`;
}

/** The nearest name of a title: `Pet Store (v2)` gives `pet-store-v2`. */
export function nameOf(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, 63)
    .replaceAll(/^-+|-+$/g, "");
}
