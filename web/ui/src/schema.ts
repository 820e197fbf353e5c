/**
 * What a form needs to know of a JSON Schema (2020-12), and how a value is changed along with it. Without React.
 *
 * A schema is read into a [`Shape`]: what kind of control shows it. What no control shows (types without a name, tuples,
 * conditions) becomes `json`, a field for the text itself, so that every schema has a form. Nothing here decides what is
 * valid; the API does.
 */
import type { FieldError } from "@gateline/api-client";

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);

/** What is known of a value besides its kind. */
interface About {
  title?: string;
  /** CommonMark; in practice sentences with code. */
  description?: string;
  default?: unknown;
  /** The value stands for itself and is not asked for. */
  fixed?: unknown;
}

/** How a value is shown in a form. */
export type Shape = About &
  (
    | { kind: "text"; long: boolean; min?: number; max?: number; format?: string }
    | { kind: "number"; whole: boolean; min?: number; max?: number }
    | { kind: "toggle" }
    | { kind: "choice"; options: Option[] }
    | { kind: "list"; item: Shape; min?: number; max?: number }
    | { kind: "map"; value: Shape }
    | { kind: "group"; properties: Property[] }
    | { kind: "variants"; of: Variant[] }
    | { kind: "json" }
  );

/** One of the values of a choice. */
export interface Option {
  value: unknown;
  /** What people call it, if that is not the value. */
  title?: string;
  description?: string;
}

/** A property of a group. */
export interface Property {
  name: string;
  shape: Shape;
  required: boolean;
}

/** One of the shapes that a value may have. */
export interface Variant {
  title: string;
  shape: Shape;
}

/** How deep schemas are followed; one that contains itself ends here as `json`. */
const DEPTH_MAX = 8;

/** Longer texts get several lines. */
const LINE_MAX = 2000;

const number = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);
const string = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

/** Reads a schema. */
export function shapeOf(schema: unknown): Shape {
  return read(isObject(schema) ? schema : {}, schema, 0);
}

/** The schema that a reference points to, and its neighbours; those beside the reference win. */
function followed(root: Json, schema: unknown): Json {
  let at: Json = isObject(schema) ? schema : {};
  for (let step = 0; step < DEPTH_MAX; step += 1) {
    const { $ref: reference, allOf, ...rest } = at;
    const only = Array.isArray(allOf) && allOf.length === 1 ? (allOf[0] as unknown) : undefined;
    if (typeof reference === "string") at = { ...target(root, reference), ...rest };
    else if (isObject(only)) at = { ...only, ...rest };
    else return at;
  }
  return at;
}

function target(root: Json, reference: string): Json {
  const path = reference.replace(/^#\/?/, "").split("/").filter(Boolean);
  const found = path.reduce<unknown>((node, part) => (isObject(node) ? node[unescaped(part)] : undefined), root);
  return isObject(found) ? found : {};
}

const unescaped = (part: string): string => part.replaceAll("~1", "/").replaceAll("~0", "~");

/** One step of a JSON Pointer (RFC 6901). */
export const step = (name: string | number): string => `/${String(name).replaceAll("~", "~0").replaceAll("/", "~1")}`;

function read(root: Json, given: unknown, depth: number): Shape {
  const schema = followed(root, given);
  const about: About = {
    ...(string(schema["title"]) ? { title: string(schema["title"]) } : {}),
    ...(string(schema["description"]) ? { description: string(schema["description"]) } : {}),
    ...("default" in schema ? { default: schema["default"] } : {}),
    ...("const" in schema ? { fixed: schema["const"] } : {}),
  };
  if (depth > DEPTH_MAX) return { ...about, kind: "json" };
  return { ...about, ...kindOf(root, schema, depth) };
}

function kindOf(root: Json, schema: Json, depth: number): Shape {
  const choice = options(schema);
  if (choice) return { kind: "choice", options: choice };
  const several = schema["oneOf"] ?? schema["anyOf"];
  if (Array.isArray(several)) return oneOf(root, several, depth);
  const types = [schema["type"]].flat().filter((type) => type !== "null" && type !== undefined);
  const type = types.length === 1 ? types[0] : types.length === 0 && isObject(schema["properties"]) ? "object" : undefined;
  const bounds = (low: string, high: string) => ({ min: number(schema[low]), max: number(schema[high]) });
  switch (type) {
    case "string": {
      const length = bounds("minLength", "maxLength");
      return { kind: "text", long: (length.max ?? 0) > LINE_MAX, ...length, format: string(schema["format"]) };
    }
    case "integer":
    case "number":
      return { kind: "number", whole: type === "integer", ...bounds("minimum", "maximum") };
    case "boolean":
      return { kind: "toggle" };
    case "array":
      if (!isObject(schema["items"])) return { kind: "json" };
      return { kind: "list", item: read(root, schema["items"], depth + 1), ...bounds("minItems", "maxItems") };
    case "object":
      return object(root, schema, depth);
    default:
      return { kind: "json" };
  }
}

/** The values of an enumeration, whether written as `enum` or as one constant each. */
function options(schema: Json): Option[] | undefined {
  if (Array.isArray(schema["enum"])) return schema["enum"].filter((value) => value !== null).map((value: unknown) => ({ value }));
  const several = schema["oneOf"] ?? schema["anyOf"];
  if (!Array.isArray(several)) return undefined;
  const found: Option[] = [];
  for (const each of several) {
    if (!isObject(each) || each["type"] === "null") continue;
    if ("const" in each) found.push({ value: each["const"], title: string(each["title"]), description: string(each["description"]) });
    else if (Array.isArray(each["enum"])) found.push(...each["enum"].map((value: unknown) => ({ value, description: string(each["description"]) })));
    else return undefined;
  }
  return found.length > 0 ? found : undefined;
}

function oneOf(root: Json, several: unknown[], depth: number): Shape {
  const real = several.filter((each) => followed(root, each)["type"] !== "null");
  if (real.length === 1) return read(root, real[0], depth);
  return {
    kind: "variants",
    of: real.map((each, index) => {
      const shape = read(root, each, depth + 1);
      return { title: titleOf(shape, index), shape };
    }),
  };
}

/** What a variant is called: its title, its constant (`type: "aws"`), its only property, or its kind. */
function titleOf(shape: Shape, index: number): string {
  if (shape.title) return shape.title;
  if (shape.kind !== "group") return shape.kind === "json" ? `Form ${index + 1}` : (shape.kind[0] ?? "").toUpperCase() + shape.kind.slice(1);
  const constant = shape.properties.find((property) => property.shape.fixed !== undefined);
  if (constant) return labelOf(String(constant.shape.fixed));
  const [only] = shape.properties;
  return only ? labelOf(only.name) : `Form ${index + 1}`;
}

function object(root: Json, schema: Json, depth: number): Shape {
  const required = new Set(Array.isArray(schema["required"]) ? schema["required"] : []);
  const properties = isObject(schema["properties"]) ? Object.entries(schema["properties"]) : [];
  if (properties.length === 0) {
    const more = schema["additionalProperties"];
    return isObject(more) ? { kind: "map", value: read(root, more, depth + 1) } : { kind: more === false ? "group" : "json", properties: [] };
  }
  return {
    kind: "group",
    properties: properties.map(([name, property]) => ({ name, required: required.has(name), shape: read(root, property, depth + 1) })),
  };
}

const units: Record<string, string> = { seconds: "seconds", ms: "ms", bytes: "bytes" };

/** Words that people write in capitals. */
const CAPITALS = new Set(["dns", "ewma", "http", "ip", "json", "p2c", "srv", "tcp", "tls", "url"]);

/** A property's name as people read it: `max_age_seconds` gives `Max age (seconds)`. */
export function labelOf(name: string): string {
  const words = name
    .split(/[_-]/)
    .filter(Boolean)
    .map((word) => (CAPITALS.has(word) ? word.toUpperCase() : word));
  const last = words.at(-1) ?? "";
  const unit = words.length > 1 ? units[last] : undefined;
  const text = (unit ? words.slice(0, -1) : words).join(" ");
  return (text[0] ?? "").toUpperCase() + text.slice(1) + (unit ? ` (${unit})` : "");
}

/** The value that a new form begins with: constants and what must be there. What has a default is left to it. */
export function beginning(shape: Shape): unknown {
  if (shape.fixed !== undefined) return shape.fixed;
  switch (shape.kind) {
    case "toggle":
      return shape.default ?? false;
    case "choice":
      return shape.default ?? shape.options[0]?.value;
    case "list":
      return Array.from({ length: shape.min ?? 0 }, () => beginning(shape.item) ?? "");
    case "map":
      return {};
    case "group": {
      const needed = shape.properties.filter((property) => property.required || property.shape.fixed !== undefined);
      const entries = needed.map((property) => [property.name, beginning(property.shape)]);
      return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
    }
    case "variants":
      return shape.of[0] && beginning(shape.of[0].shape);
    default:
      return shape.default;
  }
}

/** Which variant a value has: the one whose constants and required properties fit it best. */
export function variantOf(variants: Variant[], value: unknown): number {
  const scores = variants.map(({ shape }) => fit(shape, value));
  return Math.max(scores.indexOf(Math.max(...scores)), 0);
}

function fit(shape: Shape, value: unknown): number {
  if (shape.fixed !== undefined) return value === shape.fixed ? 100 : -100;
  if (shape.kind === "group" || shape.kind === "map") {
    if (!isObject(value)) return -1;
    if (shape.kind === "map") return 0;
    const known = shape.properties.filter((property) => property.name in value);
    const constants = shape.properties.reduce((sum, { name, shape: { fixed } }) => sum + (fixed === undefined ? 0 : value[name] === fixed ? 100 : -100), 0);
    const absent = shape.properties.filter((property) => property.required && !(property.name in value)).length;
    return constants + known.length - 2 * absent;
  }
  if (shape.kind === "list") return Array.isArray(value) ? 1 : -1;
  const kinds: Partial<Record<Shape["kind"], string>> = { text: "string", number: "number", toggle: "boolean" };
  return kinds[shape.kind] === typeof value ? 1 : 0;
}

/** The value with another one for a property; `undefined` takes it away. */
export function withProperty(value: unknown, name: string, next: unknown): Json {
  const { [name]: _, ...rest } = isObject(value) ? value : {};
  if (next === undefined) return rest;
  // The property keeps its place.
  return isObject(value) && name in value ? { ...value, [name]: next } : { ...rest, [name]: next };
}

/** What must be there and is not, by its place, so that it is told at its own field. */
export function missing(shape: Shape, value: unknown, at = ""): FieldError[] {
  switch (shape.kind) {
    case "group": {
      const known = isObject(value) ? value : {};
      return shape.properties.flatMap((property) => {
        const there = known[property.name];
        const place = at + step(property.name);
        if (there !== undefined) return missing(property.shape, there, place);
        return property.required ? [{ pointer: place, detail: "It is needed." }] : [];
      });
    }
    case "list":
      return Array.isArray(value) ? value.flatMap((each, index) => missing(shape.item, each, at + step(index))) : [];
    case "map":
      return isObject(value) ? Object.entries(value).flatMap(([name, each]) => missing(shape.value, each, at + step(name))) : [];
    case "variants": {
      const variant = shape.of[variantOf(shape.of, value)];
      return variant ? missing(variant.shape, value, at) : [];
    }
    default:
      return [];
  }
}

/** What a field says of bounds and default, in a sentence or two; empty if there is nothing to say. */
export function boundsOf(shape: Shape): string {
  const figures = new Intl.NumberFormat("en");
  const words: string[] = [];
  if (shape.kind === "number" || shape.kind === "list" || shape.kind === "text") {
    const nouns = shape.kind === "list" ? [" entry", " entries"] : shape.kind === "text" ? [" character", " characters"] : [];
    const noun = (shape.max ?? shape.min) === 1 ? (nouns[0] ?? "") : (nouns[1] ?? "");
    // Bounds that every number of that size has say nothing.
    const min = shape.min === undefined || (noun && shape.min === 0) ? undefined : figures.format(shape.min);
    const max = shape.max === undefined || shape.max >= 2 ** 31 ? undefined : figures.format(shape.max);
    // Nor does what was said already.
    const isSaid = min !== undefined && max !== undefined && ` ${shape.description ?? ""}`.includes(` ${min} to ${max}`);
    if (isSaid) return emptied(shape);
    if (min !== undefined && max !== undefined) words.push(`${min} to ${max}${noun}.`);
    else if (min !== undefined && (shape.min ?? 0) > 0) words.push(`At least ${min}${noun}.`);
    else if (max !== undefined) words.push(`At most ${max}${noun}.`);
  }
  return [...words, emptied(shape)].filter(Boolean).join(" ");
}

/** What a field has if it is left empty. */
function emptied({ kind, default: value }: Shape): string {
  const isTold = (kind === "text" || kind === "number") && (typeof value === "string" || typeof value === "number") && value !== "";
  return isTold ? `Empty: \`${value}\`.` : "";
}
