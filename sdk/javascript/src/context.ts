/** Whom flags are asked about, as callers say it, and as flags name it. */

import { textOf, type Value } from "./evaluation/texts.js";

/** A value of what is known; what is nested is read with its path, as `company.plan`. */
export type ContextValue =
  | string
  | number
  | boolean
  | Date
  | null
  | undefined
  | readonly (string | number | boolean)[]
  | { readonly [name: string]: ContextValue };

/**
 * What is known of whom flags are asked about.
 *
 * Names in camelCase are sent as flags name them: `userId` is `user_id`, `appVersion` is `app_version`.
 */
export interface Context {
  readonly [name: string]: ContextValue;
}

/** What is known, by the names that flags have. */
export type Attributes = ReadonlyMap<string, Value>;

/** As many as the server takes. */
const ATTRIBUTES_MAX = 200;
const DEPTH_MAX = 8;
const CAMEL_CASE = /^[a-z][a-z0-9]*(?:[A-Z][A-Za-z0-9]*)$/;

/** What OpenFeature calls the unit; flags can read it under this name. */
export const TARGETING_KEY = "targetingKey";

/** Says the name that flags have: `userId` is `user_id`, `userID` as well; others stay as they are. */
export function attributeName(name: string): string {
  if (name === TARGETING_KEY || !CAMEL_CASE.test(name)) {
    return name;
  }
  const parted = name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").replace(/([A-Z])([A-Z][a-z])/g, "$1_$2");
  return parted.toLowerCase();
}

/** Reads a context; what no flag can read is left out. */
export function attributesOf(context: Context): Attributes {
  const attributes = new Map<string, Value>();
  flatten(context, "", 0, attributes);
  return attributes;
}

function flatten(fields: Context, path: string, depth: number, into: Map<string, Value>): void {
  for (const [name, value] of Object.entries(fields)) {
    const at = path + attributeName(name);
    const read = valueOf(value);
    if (into.size >= ATTRIBUTES_MAX) {
      return;
    }
    if (read !== undefined) {
      into.set(at, read);
    } else if (isFields(value) && depth < DEPTH_MAX) {
      flatten(value, `${at}.`, depth + 1, into);
    }
  }
}

function isFields(value: ContextValue): value is Context {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function valueOf(value: ContextValue): Value | undefined {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value : undefined;
    case "bigint":
      return String(value);
    default:
      break;
  }
  if (value instanceof Date) {
    return Number.isNaN(value.getTime()) ? undefined : value.toISOString();
  }
  return Array.isArray(value) ? value.flatMap((one: Value) => textOf(one) ?? []) : undefined;
}

/** Says the same text for the same attributes, in whatever order they were said. */
export function textOfAttributes(attributes: Attributes): string {
  return JSON.stringify([...attributes].sort(([one], [other]) => (one < other ? -1 : 1)));
}
