/** Parts of a resource whose forms are made from the API's own document. */
export type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);

/** Some fields of an object. */
export function picked(of: object, names: readonly string[]): Json {
  return Object.fromEntries(names.filter((name) => name in of).map((name) => [name, (of as Json)[name]]));
}

/** The schema of some fields of an editable part, with all that it refers to. */
export function schemaOf(document: Json, spec: string, names: readonly string[]): Json {
  const { schemas } = document["components"] as { schemas: Record<string, { properties: Json }> };
  return { ...document, type: "object", properties: picked(schemas[spec]?.properties ?? {}, names) };
}

/** The same document where an id is chosen of those that are there, by their names. */
export function choosing(document: Json, id: string, from: { id: string; name: string }[]): Json {
  const components = document["components"] as Json;
  const schemas = components["schemas"] as Json;
  const choices = from.map((each) => ({ const: each.id, title: each.name }));
  return { ...document, components: { ...components, schemas: { ...schemas, [id]: { oneOf: choices } } } };
}

/** A merge patch from one value to another: what is gone is said to be (RFC 7396). */
export function patch(before: unknown, after: unknown): unknown {
  if (!isObject(before) || !isObject(after)) return after;
  const gone = Object.keys(before).filter((name) => after[name] === undefined);
  const there = Object.entries(after).filter(([, value]) => value !== undefined);
  return Object.fromEntries([...gone.map((name) => [name, null]), ...there.map(([name, value]) => [name, patch(before[name], value)])]);
}
