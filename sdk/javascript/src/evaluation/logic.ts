/**
 * Rules that are JSONLogic, as flagd's are: what cannot be said as conditions and splits.
 *
 * Logic is checked and compiled ahead, within the server's bounds, and gives what the server's engine gives: the crate
 * `datalogic-rs`, also where that differs from JSONLogic's first implementation.
 *
 * Sources: https://jsonlogic.com/operations.html, https://flagd.dev/reference/flag-definitions/#targeting-rules.
 */

import { pathsOf } from "./logic/check.js";
import { compile } from "./logic/compiling.js";
import { evaluate, type Node } from "./logic/nodes.js";
import { type Data, isFields, LogicError } from "./logic/values.js";
import type { Subject } from "./subject.js";
import type { Value } from "./texts.js";

export { Refused } from "./logic/check.js";
export { type Data, LogicError } from "./logic/values.js";

/** What flagd calls the unit, and what it is called with us: the second stands for the first where that is not known. */
const TARGETING_KEY = "targetingKey";
const USER = "user_id";
const MICROS_PER_SECOND = 1_000_000;

/** An object that is being made. It inherits nothing, so that every name is one like others. */
type Made = { [name: string]: Data };

/** Compiled logic. */
export class Logic {
  readonly #root: Node;
  /** The attributes that it reads, and their paths. */
  readonly #reads: readonly (readonly [name: string, path: readonly string[]])[];

  /** Checks and compiles logic; throws `Refused` if it cannot be evaluated. */
  constructor(source: unknown) {
    this.#reads = pathsOf(source).map((name) => [name, name.split(".")]);
    this.#root = compile(source);
  }

  /** Says what it names; nothing if the rule is not for a subject. Throws a `LogicError` if that is no name. */
  named(flag: string, subject: Subject): string | undefined {
    const data = this.#data(flag, subject);
    const found = evaluate(this.#root, { root: data, data });
    if (found === null) {
      return undefined;
    }
    if (typeof found !== "string" && typeof found !== "boolean") {
      throw new LogicError("it gives no name");
    }
    return String(found);
  }

  /** Says what is known of what it reads, as JSON. */
  #data(flag: string, { attributes, nowMicros }: Subject): Data {
    const data: Made = Object.create(null) as Made;
    for (const [name, path] of this.#reads) {
      const known = attributes.get(name);
      const stands = name === TARGETING_KEY && (known === undefined || known === "") ? attributes.get(USER) : known;
      if (stands !== undefined) {
        put(data, path, plain(stands));
      }
    }
    data["$flagd"] = { flagKey: flag, timestamp: Math.floor(nowMicros / MICROS_PER_SECOND) };
    return data;
  }
}

/** Evaluates logic over any data as that of flags, without their bounds: for who trusts both. */
export function apply(logic: unknown, data: unknown): Data {
  const root = data as Data;
  return evaluate(compile(logic), { root, data: root });
}

/** Puts a value at the end of a path; what is known stays where it is. */
function put(data: Made, [first = "", ...rest]: readonly string[], value: Data): void {
  if (rest.length === 0) {
    data[first] = value;
    return;
  }
  const inner = (data[first] ??= Object.create(null) as Made);
  if (isFields(inner)) {
    put(inner as Made, rest, value);
  }
}

/** Says a value as JSON has it, where no zero has a sign. */
function plain(value: Value): Data {
  return typeof value === "number" ? value + 0 : value;
}
