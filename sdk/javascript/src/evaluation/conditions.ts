/** Conditions, compiled into functions of a subject. */

import { GATE, gateOf, isOpen } from "./gates.js";
import { micros, moment, spanOf } from "./moments.js";
import { address, Network } from "./networks.js";
import { Pattern } from "./patterns/pattern.js";
import { PatternError } from "./patterns/syntax.js";
import type { Problems } from "./problems.js";
import { CODE, isObject, Part } from "./reading.js";
import { compareVersions, version } from "./semver.js";
import type { Subject } from "./subject.js";
import { number, small, textOf, trim, type Value } from "./texts.js";

/** Conditions within conditions. */
const DEPTH_MAX = 16;

/** Whether a condition fits a subject. */
export type Fits = (subject: Subject) => boolean;
type FitsValue = (value: Value) => boolean;
type FitsText = (text: string) => boolean;

type Count = readonly [least: number, most: number];

const MANY = Number.POSITIVE_INFINITY;
/** How many values a comparison can have. */
const COUNTS: ReadonlyMap<string, Count> = new Map<string, Count>([
  ...["in", "not_in", "has_all"].map((op) => [op, [0, MANY]] as const),
  ...["is_present", "is_absent"].map((op) => [op, [0, 0]] as const),
  ...["starts_with", "ends_with", "contains", "matches", "eq", "modulo", "semver_eq", "in_network", "size_eq", "is_kind"].map(
    (op) => [op, [1, MANY]] as const,
  ),
  ...["gt", "gte", "lt", "lte", "before", "after", "size_gt", "size_lt"].map((op) => [op, [1, 1]] as const),
  ...["semver_gt", "semver_gte", "semver_lt", "semver_lte"].map((op) => [op, [1, 1]] as const),
]);
/** Which order of an attribute and the value is wanted. */
const WANTED: ReadonlyMap<string, (order: number) => boolean> = new Map([
  ["eq", (order: number) => order === 0],
  ["gt", (order: number) => order > 0],
  ["gte", (order: number) => order >= 0],
  ["lt", (order: number) => order < 0],
  ["lte", (order: number) => order <= 0],
  ["before", (order: number) => order < 0],
  ["after", (order: number) => order > 0],
]);

const TEST = ["attribute", "op", "values", "ignore_case", "text_only", "short"];
/** What conditions are, but for those on an attribute. */
const KINDS = ["all", "any", "not", "segment", "during", "share", "element"];
/** What may stand beside them. */
const BESIDE: ReadonlyMap<string, string> = new Map([["element", "fits"]]);
/** What single elements of lists, which are texts, can be compared by. */
const OF_ELEMENTS = ["in", "not_in", "starts_with", "ends_with", "contains", "matches"];
const SIZE_MAX = 2 ** 32 - 1;
const KIND_OF: ReadonlyMap<string, FitsValue> = new Map<string, FitsValue>([
  ["text", (value) => typeof value === "string"],
  ["number", (value) => typeof value === "number"],
  ["boolean", (value) => typeof value === "boolean"],
  ["list", (value) => typeof value === "object"],
]);

const nobody: Fits = () => false;

/** Compiles the conditions of one flag or segment. */
export class Compiler {
  /** Which segments the conditions name, each time that they do, with the place. */
  readonly named: (readonly [key: string, pointer: string])[] = [];
  /** The list whose elements are spoken of, within a condition on one. */
  #list: string | undefined;

  /** Takes segments by their keys; those that are not compiled yet are none. */
  constructor(
    readonly segments: ReadonlyMap<string, Fits | undefined>,
    readonly problems: Problems,
  ) {}

  /** Compiles a condition; what is wrong is noted under the pointer, and the rest is of no use then. */
  condition(source: unknown, pointer: string, depth = 0): Fits {
    if (depth > DEPTH_MAX) {
      this.problems.add(pointer, "too_deep", `Conditions are nested more than ${DEPTH_MAX} deep.`);
      return nobody;
    }
    const kind = KINDS.find((name) => isObject(source) && Object.hasOwn(source, name));
    if (!kind) {
      return this.#test(new Part(source, pointer, TEST, this.problems));
    }
    const part = new Part(source, pointer, [kind, ...(BESIDE.has(kind) ? [BESIDE.get(kind) ?? ""] : [])], this.problems);
    if (this.#list !== undefined && !["all", "any", "not"].includes(kind)) {
      part.wrong("", "element_invalid", "An element is compared by `all`, `any`, `not` and comparisons only.");
      return nobody;
    }
    if (kind === "element") {
      return this.#element(part, depth);
    }
    if (kind === "segment") {
      return this.#segment(part.text("segment"), `${pointer}/segment`);
    }
    if (kind === "during") {
      return this.#during(new Part(part.field("during"), `${pointer}/during`, ["from", "until"], this.problems));
    }
    if (kind === "share") {
      const gate = gateOf(new Part(part.field("share"), `${pointer}/share`, GATE, this.problems));
      return (subject) => isOpen(gate, subject);
    }
    if (kind === "not") {
      const inside = this.condition(part.field("not"), `${pointer}/not`, depth + 1);
      return (subject) => !inside(subject);
    }
    const each = part.list(kind).map((one, place) => this.condition(one, `${pointer}/${kind}/${place}`, depth + 1));
    return kind === "all"
      ? (subject) => each.every((one) => one(subject))
      : (subject) => each.some((one) => one(subject));
  }

  /** Reads a span of time, which has a beginning or an end. */
  #during(part: Part): Fits {
    const [from, until] = spanOf(part);
    if (part.field("from") === undefined && part.field("until") === undefined) {
      part.wrong("", "value_invalid", "It says `from`, `until` or both.");
    }
    return ({ nowMicros }) => from <= nowMicros && nowMicros < until;
  }

  /** Whether something holds of one element of a list: the attribute is that element then. */
  #element(part: Part, depth: number): Fits {
    const name = part.text("element");
    this.#list = name;
    const fits = this.condition(part.field("fits"), `${part.pointer}/fits`, depth + 1);
    this.#list = undefined;
    return ({ attributes, nowMicros }) => {
      const list = attributes.get(name);
      return typeof list === "object" && list.some((one) => fits({ attributes: new Map([[name, one]]), nowMicros }));
    };
  }

  #segment(key: string, pointer: string): Fits {
    if (!this.segments.has(key)) {
      this.problems.add(pointer, "segment_unknown", `There is no segment \`${key}\`.`);
      return nobody;
    }
    this.named.push([key, pointer]);
    return (subject) => this.segments.get(key)?.(subject) ?? false;
  }

  #test(part: Part): Fits {
    const [name, op, values] = [part.text("attribute"), part.text("op"), part.texts("values")];
    const ignoreCase = part.boolean("ignore_case", false);
    const textOnly = part.boolean("text_only", false);
    const count = COUNTS.get(op);
    if (!count) {
      part.wrong("/op", CODE, `The comparison \`${op}\` is not known here; a newer version may know it.`);
      return nobody;
    }
    if (this.#list !== undefined && (name !== this.#list || !OF_ELEMENTS.includes(op))) {
      const detail = `Of an element of \`${this.#list}\`, itself is compared, and by ${OF_ELEMENTS.join(", ")} only.`;
      part.wrong("", "element_invalid", detail);
      return nobody;
    }
    const [least, most] = count;
    if (values.length < least || values.length > most) {
      const wanted = most === 0 ? "no values" : most === 1 ? "one value" : "at least one value";
      part.wrong("/values", "values_count", `This comparison needs ${wanted}, and there are ${values.length}.`);
      return nobody;
    }
    if (part.boolean("short", false) && !op.startsWith("semver_")) {
      part.wrong("/short", "value_invalid", "Only versions can be short.");
    }
    const check = checkOf(op, values, part, ignoreCase);
    const fitsNothing = op === "not_in" || op === "is_absent";
    return ({ attributes }) => {
      const value = attributes.get(name);
      const isThere = value !== undefined && (!textOnly || typeof value === "string");
      return isThere ? check(value) : fitsNothing;
    };
  }
}

function checkOf(op: string, values: readonly string[], part: Part, ignoreCase: boolean): FitsValue {
  switch (op) {
    case "is_present":
    case "is_absent":
      return () => op === "is_present";
    case "in":
    case "not_in":
      return isIn(values, op === "in", ignoreCase);
    case "starts_with":
    case "ends_with":
    case "contains":
      return compares(op, values, ignoreCase);
    case "has_all":
      return hasAll(values, ignoreCase);
    case "matches": {
      const patterns = patternsOf(values, part, ignoreCase);
      return ofText((text) => patterns.some((pattern) => pattern.isIn(text)));
    }
    case "in_network": {
      const networks = each(values, part, "an address or a network, as `10.0.0.0/8`", Network.read);
      return inNetwork(networks);
    }
    case "size_eq":
    case "size_gt":
    case "size_lt": {
      const sizes = each(values, part, "a whole number, as `2`", wholeSize);
      const size = (value: Value) => (typeof value === "object" ? value.length : undefined);
      return ordered(op.slice("size_".length), sizes, size, (one, other) => one - other);
    }
    case "is_kind": {
      const kinds = each(values, part, "one of `text`, `number`, `boolean` and `list`", (kind) => KIND_OF.get(kind));
      return (value) => kinds.some((isOne) => isOne(value));
    }
    case "modulo":
      return leaves(each(values, part, "a divisor and a lesser remainder, as `10|3`", division));
    case "before":
    case "after": {
      const moments = each(values, part, "a moment, as `2026-11-22T10:00:00Z`", moment);
      return ordered(op, moments, micros, (one, other) => one - other);
    }
    default:
      return op.startsWith("semver_")
        ? versions(op.slice("semver_".length), values, part)
        : ordered(op, each(values, part, "a number", number), number, (one, other) => one - other);
  }
}

/** Whether a text of the value fits: its own, or one of a list's. */
function ofText(fits: FitsText): FitsValue {
  return (value) => {
    if (typeof value === "object") {
      return value.some(fits);
    }
    const text = textOf(value);
    return text !== undefined && fits(text);
  };
}

function isIn(values: readonly string[], wanted: boolean, ignoreCase: boolean): FitsValue {
  const known = new Set(ignoreCase ? values.map(small) : values);
  const isOne = ofText(ignoreCase ? (text) => known.has(small(text)) : (text) => known.has(text));
  return wanted ? isOne : (value) => !isOne(value);
}

function compares(op: "starts_with" | "ends_with" | "contains", values: readonly string[], ignoreCase: boolean): FitsValue {
  const known = ignoreCase ? values.map(small) : values;
  const fits = {
    starts_with: (text: string) => known.some((value) => text.startsWith(value)),
    ends_with: (text: string) => known.some((value) => text.endsWith(value)),
    contains: (text: string) => known.some((value) => text.includes(value)),
  }[op];
  return ofText(ignoreCase ? (text) => fits(small(text)) : fits);
}

function hasAll(values: readonly string[], ignoreCase: boolean): FitsValue {
  const known = ignoreCase ? values.map(small) : values;
  return (value) => {
    if (typeof value !== "object") {
      return false;
    }
    const list = new Set(ignoreCase ? value.map(small) : value);
    return known.every((one) => list.has(one));
  };
}

function inNetwork(networks: readonly Network[]): FitsValue {
  return ofText((text) => {
    const one = address(trim(text));
    return one !== undefined && networks.some((network) => network.has(one));
  });
}

/** Compares versions, which may be short if that is said. */
function versions(op: string, values: readonly string[], part: Part): FitsValue {
  const isShort = part.boolean("short", false);
  const read = (text: string) => version(text, isShort);
  const known = each(values, part, isShort ? "a version, as `2.1`" : "a version, as `2.1.0`", read);
  return ordered(op, known, (value) => (typeof value === "string" ? read(value) : undefined), compareVersions);
}

/** Reads how many entries a list has. */
function wholeSize(text: string): number | undefined {
  const found = /^[0-9]{1,10}$/.test(text) ? Number(text) : undefined;
  return found !== undefined && found <= SIZE_MAX ? found : undefined;
}

/** Whether a value, once read, is in the wanted order with one of those that it is compared with. */
function ordered<T>(
  op: string,
  values: readonly T[],
  read: (value: Value) => T | undefined,
  compare: (one: T, other: T) => number,
): FitsValue {
  const wanted = WANTED.get(op) ?? (() => false);
  return (value) => {
    const found = read(value);
    return found !== undefined && values.some((one) => wanted(compare(found, one)));
  };
}

/** Reads `10|3`: a divisor and a remainder. */
function division(text: string): readonly [by: number, rest: number] | undefined {
  const at = text.indexOf("|");
  const [by, rest] = [number(text.slice(0, Math.max(at, 0))), number(text.slice(at + 1))];
  return at >= 0 && by !== undefined && rest !== undefined && 0 <= rest && rest < by ? [by, rest] : undefined;
}

/** Whether a number leaves a remainder that is never negative. */
function leaves(divisions: readonly (readonly [by: number, rest: number])[]): FitsValue {
  return (value) => {
    const found = number(value);
    return (
      found !== undefined &&
      divisions.some(([by, wanted]) => {
        const rest = found % by;
        return (rest < 0 ? rest + by : rest) === wanted;
      })
    );
  };
}

function each<T>(values: readonly string[], part: Part, what: string, read: (text: string) => T | undefined): T[] {
  const found: T[] = [];
  for (const [place, value] of values.entries()) {
    const one = read(value);
    if (one === undefined) {
      part.wrong(`/values/${place}`, "value_invalid", `\`${value}\` is not ${what}.`);
    } else {
      found.push(one);
    }
  }
  return found;
}

function patternsOf(values: readonly string[], part: Part, ignoreCase: boolean): Pattern[] {
  const found: Pattern[] = [];
  for (const [place, value] of values.entries()) {
    try {
      found.push(new Pattern(value, ignoreCase));
    } catch (error) {
      if (!(error instanceof PatternError)) {
        throw error;
      }
      const detail = `\`${value}\` is not a regular expression that can be matched: ${error.message}.`;
      part.wrong(`/values/${place}`, "value_invalid", detail);
    }
  }
  return found;
}
