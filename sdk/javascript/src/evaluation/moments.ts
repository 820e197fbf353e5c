/** Moments: RFC 3339 and the forms of ISO 8601 that the server reads. */

import type { Part } from "./reading.js";
import { trim, type Value } from "./texts.js";

const SHAPE = new RegExp(
  "^(?<year>[0-9]{4}|[+-][0-9]{6})(?<line>-?)(?<month>[0-9]{2})\\k<line>(?<day>[0-9]{2})" +
    "[Tt ](?<hour>[0-9]{2})(?:(?<colon>:?)(?<minute>[0-9]{2})(?:\\k<colon>(?<second>[0-9]{2})" +
    "(?:[.,](?<fraction>[0-9]{1,9}))?)?)?" +
    "(?:[Zz]|(?<sign>[+-])(?<hours>[0-9]{2})(?:(?<point>:?)(?<minutes>[0-9]{2})(?:\\k<point>(?<seconds>[0-9]{2}))?)?)$",
);
const DAY_SECONDS = 86_400;
/** The first and the last second that the server knows. */
const FIRST = -377_705_023_201;
const LAST = 253_402_207_200;
const MILLIS_BOUND = 1e15;

/** Reads a moment as microseconds since 1970: a text, or a number of milliseconds since then. */
export function micros(value: Value): number | undefined {
  if (typeof value === "string") {
    return moment(value);
  }
  return typeof value === "number" && Math.abs(value) < MILLIS_BOUND ? Math.trunc(value * 1e3) : undefined;
}

/** Reads `2026-11-22T10:00:00Z` as microseconds since 1970. */
export function moment(text: string): number | undefined {
  const parts = SHAPE.exec(trim(text))?.groups;
  if (!parts || parts["year"] === "-000000") {
    return undefined;
  }
  const of = (name: string): number => Number(parts[name] ?? 0);
  const days = daysOf(of("year"), of("month"), of("day"));
  if (days === undefined || of("hour") > 23 || of("minute") > 59 || of("second") > 60) {
    return undefined;
  }
  if (of("hours") > 25 || of("minutes") > 59 || of("seconds") > 59) {
    return undefined;
  }
  // A leap second is the one before it.
  const ofDay = of("hour") * 3600 + of("minute") * 60 + Math.min(of("second"), 59);
  const offset = of("hours") * 3600 + of("minutes") * 60 + of("seconds");
  const seconds = days * DAY_SECONDS + ofDay - (parts["sign"] === "-" ? -offset : offset);
  if (seconds < FIRST || seconds > LAST) {
    return undefined;
  }
  const nanos = Number((parts["fraction"] ?? "").padEnd(9, "0"));
  // What is less than a microsecond is cut off, towards 1970.
  const part = seconds < 0 ? Math.ceil(nanos / 1000) : Math.floor(nanos / 1000);
  return seconds * 1e6 + part;
}

/** Reads from when on and until when something holds; what is not said is for ever. */
export function spanOf(part: Part): readonly [from: number, until: number] {
  const read = (name: string, otherwise: number): number =>
    part.field(name) === undefined ? otherwise : (momentIn(part, name) ?? otherwise);
  const [from, until] = [read("from", Number.NEGATIVE_INFINITY), read("until", Number.POSITIVE_INFINITY)];
  if (from >= until) {
    part.wrong("/until", "out_of_range", "It ends before it begins.");
  }
  return [from, until];
}

/** Reads a moment that must be there. */
export function momentIn(part: Part, name: string): number | undefined {
  const text = part.text(name);
  const found = moment(text);
  if (found === undefined && typeof part.field(name) === "string") {
    part.wrong(`/${name}`, "value_invalid", `\`${text}\` is not a moment, as \`2026-11-22T10:00:00Z\`.`);
  }
  return found;
}

function daysOf(year: number, month: number, day: number): number | undefined {
  if (Math.abs(year) > 9999) {
    return undefined;
  }
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const isOne = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return isOne ? date.getTime() / (DAY_SECONDS * 1000) : undefined;
}
