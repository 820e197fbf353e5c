/** Forms made of JSON Schemas: what is shown for what, and what is sent. */
import { expect, test } from "@playwright/test";
import { ProblemError } from "@gateline/api-client";
import { mergePatch } from "../../ui/src/diff";
import { draftOf, finished } from "../../ui/src/draft";
import { type Shape, beginning, boundsOf, labelOf, missing, shapeOf, step, variantOf, withProperty } from "../../ui/src/schema";

/** What the schemas of policies look like: references, enumerations by constants, maps, things that may be absent. */
const schema = {
  $defs: {
    Per: {
      description: "Whose calls.",
      oneOf: [
        { const: "application", description: "Of an application.", type: "string" },
        { const: "route", type: "string" },
      ],
    },
    Change: {
      type: "object",
      properties: {
        remove: { type: "array", items: { type: "string" }, default: [] },
        set: { type: "object", additionalProperties: { type: "string" } },
      },
    },
  },
  type: "object",
  properties: {
    requests: { type: "integer", format: "uint32", minimum: 1, description: "Calls." },
    burst: { type: ["integer", "null"], minimum: 1, maximum: 9 },
    per: { $ref: "#/$defs/Per", default: "application" },
    request: { $ref: "#/$defs/Change", description: "On the way in." },
    origins: { type: "array", minItems: 1, maxItems: 100, items: { type: "string", maxLength: 2000 } },
    header: { type: "string", default: "X-API-Key" },
    on: { type: "boolean", default: true },
    level: { enum: ["low", "high", null] },
    maybe: { anyOf: [{ $ref: "#/$defs/Change" }, { type: "null" }] },
    store: {
      oneOf: [
        { type: "object", properties: { kind: { const: "memory" }, bytes: { type: "integer" } }, required: ["kind", "bytes"] },
        { type: "object", properties: { kind: { const: "redis" }, url: { type: "string" } }, required: ["kind", "url"] },
      ],
    },
    anything: true,
    pair: { type: "array", prefixItems: [{ type: "string" }] },
  },
  required: ["requests", "origins", "store"],
  additionalProperties: false,
};

const properties = (of: unknown): Record<string, Shape> => {
  const shape = shapeOf(of);
  return shape.kind === "group" ? Object.fromEntries(shape.properties.map((each) => [each.name, each.shape])) : {};
};

test("every part of a schema has a kind of field", () => {
  const kinds = Object.fromEntries(Object.entries(properties(schema)).map(([name, shape]) => [name, shape.kind]));
  expect(kinds).toEqual({
    requests: "number",
    burst: "number",
    per: "choice",
    request: "group",
    origins: "list",
    header: "text",
    on: "toggle",
    level: "choice",
    maybe: "group",
    store: "variants",
    anything: "json",
    pair: "json",
  });
  expect(properties(schema)["request"]).toMatchObject({ description: "On the way in." });
  expect(properties(schema)["per"]).toMatchObject({
    description: "Whose calls.",
    default: "application",
    options: [{ value: "application", description: "Of an application." }, { value: "route" }],
  });
  expect(properties(schema)["level"]).toMatchObject({ options: [{ value: "low" }, { value: "high" }] });
  for (const nothing of [undefined, null, true, [], "text", {}, { $ref: "#/nowhere" }]) expect(shapeOf(nothing).kind).toBe("json");
  expect(shapeOf({ type: "object", additionalProperties: { type: "integer" } })).toEqual({ kind: "map", value: { kind: "number", whole: true } });
  expect(shapeOf({ type: "object", properties: {}, additionalProperties: false }).kind).toBe("group");
});

test("a schema that contains itself ends", () => {
  const tree = { $defs: { Node: { type: "object", properties: { child: { $ref: "#/$defs/Node" } } } }, $ref: "#/$defs/Node" };
  let shape: Shape | undefined = shapeOf(tree);
  let depth = 0;
  while (shape?.kind === "group" && depth < 100) {
    shape = shape.properties[0]?.shape;
    depth += 1;
  }
  expect(shape?.kind).toBe("json");
  expect(shapeOf({ $defs: { A: { $ref: "#/$defs/A" } }, $ref: "#/$defs/A" }).kind).toBe("json");
});

test("a form begins with what must be there and leaves the rest to its default", () => {
  expect(beginning(shapeOf(schema))).toEqual({ origins: [""], store: { kind: "memory" } });
  expect(draftOf({ ...schema, examples: [{ requests: 5 }] })).toEqual({ value: { requests: 5 } });
  expect(draftOf(undefined)).toEqual({ value: {} });
});

const at = (value: unknown) => missing(shapeOf(schema), value).map((each) => each.pointer);

test("what is missing is told at its place", () => {
  expect(at({})).toEqual(["/requests", "/origins", "/store"]);
  expect(at({ requests: 1, origins: [], store: { kind: "redis" } })).toEqual(["/store/url"]);
  expect(at({ requests: 1, origins: ["a"], store: { kind: "memory", bytes: 1 } })).toEqual([]);
});

test("the variant is the one that the value fits", () => {
  const store = properties(schema)["store"];
  const variants = store?.kind === "variants" ? store.of : [];
  expect(variants.map((each) => each.title)).toEqual(["Memory", "Redis"]);
  expect([{ kind: "redis" }, { kind: "memory", url: "x" }, { url: "x" }, 7].map((value) => variantOf(variants, value))).toEqual([1, 0, 1, 0]);
  const mixed = shapeOf({ anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }] });
  expect(mixed.kind === "variants" && [variantOf(mixed.of, "a"), variantOf(mixed.of, ["a"])]).toEqual([0, 1]);
});

test("names, bounds and pointers are written as people and RFC 6901 want them", () => {
  expect(["max_age_seconds", "window_seconds", "bytes", "x-api-key", "http", "p2c_ewma"].map(labelOf)).toEqual([
    "Max age (seconds)",
    "Window (seconds)",
    "Bytes",
    "X api key",
    "HTTP",
    "P2C EWMA",
  ]);
  const said = { type: "integer", minimum: 1, maximum: 10, default: 3, description: "How often: 1 to 10." };
  expect(boundsOf(shapeOf(said))).toBe("Empty: `3`.");
  expect(boundsOf(shapeOf({ ...said, description: "How often: 11 to 10." }))).toBe("1 to 10. Empty: `3`.");
  const { requests, burst, origins, header, on } = properties(schema);
  expect([requests, burst, origins, header, on].map((shape) => shape && boundsOf(shape))).toEqual([
    "At least 1.",
    "1 to 9.",
    "1 to 100 entries.",
    "Empty: `X-API-Key`.",
    "",
  ]);
  expect([step("a/b~c"), step(0)]).toEqual(["/a~1b~0c", "/0"]);
});

test("a property is put, replaced in its place, and taken away", () => {
  expect(Object.keys(withProperty({ a: 1, b: 2 }, "a", 3))).toEqual(["a", "b"]);
  expect(withProperty(undefined, "a", 1)).toEqual({ a: 1 });
  expect(withProperty({ a: 1, b: 2 }, "a", undefined)).toEqual({ b: 2 });
});

test("a draft is sent when it is JSON and complete, else it points to what is wrong", () => {
  const config = { requests: 1, origins: ["a"], store: { kind: "memory", bytes: 1 } };
  expect(finished(schema, { value: config }, "/config")).toEqual(config);
  expect(finished(schema, { value: {}, text: JSON.stringify(config) }, "/config")).toEqual(config);
  const refused = (draft: { value: unknown; text?: string }): string[] => {
    try {
      finished(schema, draft, "/config");
      return [];
    } catch (error) {
      return error instanceof ProblemError ? error.fields.map((field) => field.pointer) : ["?"];
    }
  };
  expect(refused({ value: config, text: "{" })).toEqual(["/config"]);
  expect(refused({ value: { ...config, requests: undefined } })).toEqual(["/config/requests"]);
});

test("a merge patch takes away what is gone, at every depth", () => {
  const before = { a: 1, b: { c: { x: "1", y: "2", same: [] }, d: [1], same: { deep: 1 } } };
  expect(mergePatch(before, { b: { c: { y: "3", same: [] }, d: [2], same: { deep: 1 } } })).toEqual({ a: null, b: { c: { x: null, y: "3" }, d: [2] } });
  expect(mergePatch(before, [])).toEqual([]);
});
