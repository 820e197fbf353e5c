/** What logic makes of values: which hold, which are equal, what they are as numbers and as texts. */

import { compareTexts, digits, numberIn } from "../texts.js";

/** A value of JSON. */
export type Data = null | boolean | number | string | readonly Data[] | DataFields;

/** An object of JSON. */
export interface DataFields {
  readonly [name: string]: Data;
}

/** Logic that cannot be evaluated. */
export class LogicError extends Error {}

/** What is whole and below this is a whole number to the server, of 64 bits with a sign. */
const WHOLE_END = 2 ** 63;
/** Smaller ones are written with an exponent in JSON. */
const PLAIN_MIN = 1e-5;

/** Whether a value is a list. */
export function isList(value: Data): value is readonly Data[] {
  return Array.isArray(value);
}

/** Whether a value is an object. */
export function isFields(value: Data): value is DataFields {
  return typeof value === "object" && value !== null && !isList(value);
}

/** Says the field of an object, if it has it. */
export function fieldOf(fields: DataFields, name: string): Data | undefined {
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}

/** Whether a value counts as true. */
export function isTruthy(value: Data): boolean {
  if (isList(value)) {
    return value.length > 0;
  }
  return isFields(value) ? Object.keys(value).length > 0 : Boolean(value);
}

/** Says a whole number; nothing of anything else. */
export function wholeOf(value: Data): number | undefined {
  const isWhole = typeof value === "number" && Number.isInteger(value) && -WHOLE_END <= value && value < WHOLE_END;
  return isWhole ? value : undefined;
}

/** Reads a value as a number: nothing, and an empty text, are 0. */
export function numberOf(value: Data): number | undefined {
  switch (typeof value) {
    case "number":
      return value;
    case "string":
      return value === "" ? 0 : numberIn(value);
    case "boolean":
      return Number(value);
    default:
      return value === null ? 0 : undefined;
  }
}

/** Whether values are the same, of the same kind. */
export function areSame(one: Data, other: Data): boolean {
  if (isList(one) && isList(other)) {
    return one.length === other.length && one.every((each, place) => areSame(each, other[place] ?? null));
  }
  if (!isFields(one) || !isFields(other)) {
    return one === other;
  }
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length &&
    names.every((name) => Object.hasOwn(other, name) && areSame(one[name] ?? null, other[name] ?? null))
  );
}

/** Whether values are equal, also of different kinds. No two objects are. */
export function areEqual(one: Data, other: Data): boolean {
  if (isFields(one) || isFields(other)) {
    return false;
  }
  if (isList(one) || isList(other) || typeof one === typeof other) {
    return areSame(one, other);
  }
  if (typeof one === "string" || typeof other === "string") {
    const [text, than] = typeof one === "string" ? [one, other] : [other as string, one];
    return typeof than === "number" ? numberIn(text) === than : text === (than === null ? "" : String(than));
  }
  // What is left are numbers, booleans and nothing.
  return Number(one) === Number(other);
}

/** Says which of two values comes first; nothing if they stand in no order. Throws if they cannot be compared. */
export function compare(one: Data, other: Data): number | undefined {
  if (typeof one === "string" && typeof other === "string") {
    return compareTexts(one, other);
  }
  if ([one, other].some((value) => isList(value) || isFields(value))) {
    throw new LogicError("lists and objects have no order");
  }
  const [ours, theirs] = [numberOf(one), numberOf(other)];
  if (ours !== undefined && theirs !== undefined) {
    return Number.isNaN(ours) || Number.isNaN(theirs) ? undefined : Number(ours > theirs) - Number(ours < theirs);
  }
  if (typeof one === "number" || typeof other === "number") {
    throw new LogicError("a text is no number");
  }
  return undefined;
}

/** Writes a value as a part of a text. */
export function textOfData(value: Data): string {
  if (typeof value === "string") {
    return value;
  }
  if (typeof value === "number") {
    return textOfNumber(value);
  }
  return value === null ? "" : typeof value === "boolean" ? String(value) : json(value);
}

/** Writes a number with all its digits. Of those that JSON has with a point, only a zero with a sign is known here. */
export function textOfNumber(value: number): string {
  if (!Number.isFinite(value)) {
    return "null";
  }
  if (Object.is(value, -0)) {
    return "0.0";
  }
  if (!Number.isInteger(value)) {
    return digits(value);
  }
  return wholeOf(value) === undefined ? withExponent(value) : String(BigInt(value));
}

function withExponent(value: number): string {
  return value.toExponential().replace("e+", "e");
}

/** Writes a value as JSON. */
function json(value: Data): string {
  if (isList(value)) {
    return `[${value.map(json).join(",")}]`;
  }
  if (isFields(value)) {
    return `{${Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}:${json(one)}`).join(",")}}`;
  }
  if (typeof value !== "number") {
    return JSON.stringify(value);
  }
  if (Object.is(value, -0)) {
    return "-0.0";
  }
  return value !== 0 && Math.abs(value) < PLAIN_MIN ? withExponent(value) : textOfNumber(value);
}
