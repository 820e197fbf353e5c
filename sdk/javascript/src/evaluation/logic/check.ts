/** What logic may be: bounded in size, in depth and in what it does. */

import { part } from "../problems.js";
import { isObject } from "../reading.js";
import { compareTexts } from "../texts.js";
import { textOfNumber } from "./values.js";

/** Operators in one piece of logic. */
const OPERATORS_MAX = 1000;
/** Values in one piece of logic, those of lists that something is looked up in included. */
const VALUES_MAX = 50_000;
/** Operators within operators. */
const DEPTH_MAX = 64;
/** Operators that go through a list. */
const LOOPS: ReadonlySet<string> = new Set(["map", "filter", "reduce", "all", "some", "none"]);
/** Operators whose answer is no larger than what they read, so that they may be repeated. */
const SMALL: ReadonlySet<string> = new Set([
  ...["var", "if", "?:", "==", "===", "!=", "!==", "!", "!!", "or", "and", ">", ">=", "<", "<=", "max", "min"],
  ...["+", "-", "*", "/", "%", "in", "starts_with", "ends_with", "sem_ver"],
]);
/** Operators besides. */
const OTHERS: ReadonlySet<string> = new Set([
  ...["missing", "missing_some", "merge", "cat", "substr", "fractional", "fractional_v1", "fractional_v3"],
]);

/** What is wrong with logic, and where. */
export class Refused extends Error {
  constructor(
    /** The place, as a JSON Pointer into the logic. */
    readonly pointer: string,
    /** A stable name of the reason. */
    readonly code: string,
    detail: string,
  ) {
    super(detail);
  }
}

/** Says which paths logic reads, none before the one that leads to it; throws what is wrong with it. */
export function pathsOf(source: unknown): string[] {
  const check = new Check();
  check.value(source, "", 0);
  return [...check.paths].sort(compareTexts);
}

class Check {
  readonly paths = new Set<string>();
  #operators = 0;
  #values = 0;
  /** Whether it is in what a loop does with each. */
  #inLoop = false;

  value(value: unknown, pointer: string, depth: number): void {
    this.#values++;
    if (this.#values > VALUES_MAX) {
      throw new Refused(pointer, "too_large", `Logic has at most ${VALUES_MAX} values.`);
    }
    if (depth > DEPTH_MAX) {
      throw new Refused(pointer, "too_deep", `Logic is nested more than ${DEPTH_MAX} deep.`);
    }
    if (Array.isArray(value)) {
      if (this.#inLoop && value.some((one) => typeof one === "object" && one !== null)) {
        throw new Refused(pointer, "loop_grows", "A list that a loop makes has no operators in it.");
      }
      this.#all(value, pointer, depth);
    } else if (isObject(value) && Object.keys(value).length > 0) {
      this.#operator(Object.entries(value), pointer, depth);
    }
  }

  /** Checks values; with a place, all but that at it, which is no logic. */
  #all(values: readonly unknown[], pointer: string, depth: number, leftOut?: number): void {
    for (const [place, one] of values.entries()) {
      if (place !== leftOut) {
        this.value(one, `${pointer}/${place}`, depth + 1);
      }
    }
  }

  #operator([first, ...more]: readonly (readonly [string, unknown])[], pointer: string, depth: number): void {
    this.#operators++;
    if (this.#operators > OPERATORS_MAX) {
      throw new Refused(pointer, "too_large", `Logic has at most ${OPERATORS_MAX} operators.`);
    }
    if (first === undefined || more.length > 0) {
      throw new Refused(pointer, "logic_invalid", "An operator is an object with one field.");
    }
    const [name, said] = first;
    const at = `${pointer}/${part(name)}`;
    const isLoop = LOOPS.has(name);
    if (!isLoop && !SMALL.has(name) && !OTHERS.has(name)) {
      throw new Refused(at, "operator_unknown", `\`${name}\` is no operator of JSONLogic or flagd.`);
    }
    if (this.#inLoop && !SMALL.has(name)) {
      throw new Refused(at, "loop_grows", `\`${name}\` in a loop could take for ever, or all memory.`);
    }
    if (isLoop) {
      this.#loop(said, at, depth);
    } else {
      this.#arguments(name, said, at, depth);
    }
  }

  #arguments(name: string, said: unknown, at: string, depth: number): void {
    switch (name) {
      case "var":
        return this.#variable(Array.isArray(said) ? said : [said], at, depth);
      case "missing":
        return this.#missing(said, at);
      case "missing_some": {
        // How many must be there may be made up; what must be is written down.
        const all: readonly unknown[] = Array.isArray(said) ? said : [];
        this.#all(all, at, depth, 1);
        return this.#missing(all[1], `${at}/1`);
      }
      default:
        break;
    }
    if (name.startsWith("fractional")) {
      this.paths.add("targetingKey");
    }
    // An operator's own list of arguments is no list that it makes.
    if (Array.isArray(said)) {
      this.#all(said, at, depth);
    } else {
      this.value(said, at, depth + 1);
    }
  }

  #variable(said: readonly unknown[], pointer: string, depth: number): void {
    this.#all(said, pointer, depth, 0);
    this.#path(said[0], pointer);
  }

  #path(said: unknown, pointer: string): void {
    const path = typeof said === "number" ? textOfNumber(said) : (said ?? "");
    if (typeof path !== "string") {
      throw new Refused(pointer, "attribute_dynamic", "What logic reads is written down, not made up by it.");
    }
    // In a loop, paths lead into what the loop goes through.
    if (this.#inLoop || path === "$flagd" || path.startsWith("$flagd.")) {
      return;
    }
    if (path === "") {
      throw new Refused(pointer, "attribute_dynamic", "Logic names what it reads; it cannot have all that is known.");
    }
    this.paths.add(path);
  }

  #missing(said: unknown, pointer: string): void {
    if (!Array.isArray(said)) {
      return this.#path(said, pointer);
    }
    for (const [place, one] of said.entries()) {
      this.#path(one, `${pointer}/${place}`);
    }
  }

  #loop(said: unknown, pointer: string, depth: number): void {
    if (!Array.isArray(said)) {
      throw new Refused(pointer, "logic_invalid", "A loop has a list of arguments.");
    }
    for (const [place, one] of said.entries()) {
      this.#inLoop = place === 1;
      this.value(one, `${pointer}/${place}`, depth + 1);
      this.#inLoop = false;
    }
  }
}
