/** Finds a call that a newcomer can make, in an OpenAPI document. */

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);

/** Follows a reference inside the document; at most a few steps. */
function resolve(document: Json, value: unknown): Json {
  let at = value;
  for (let step = 0; step < 8 && isObject(at) && typeof at["$ref"] === "string"; step += 1) {
    at = at["$ref"]
      .replace(/^#\//, "")
      .split("/")
      .reduce<unknown>((node, part) => (isObject(node) ? node[part.replaceAll("~1", "/").replaceAll("~0", "~")] : undefined), document);
  }
  return isObject(at) ? at : {};
}

/** A value for a parameter: its example, default or first choice, or something of its type. */
function valueOf(document: Json, parameter: Json): string {
  const schema = resolve(document, parameter["schema"]);
  const examples = Object.values(isObject(parameter["examples"]) ? parameter["examples"] : {});
  const candidates = [
    parameter["example"],
    ...examples.map((example) => resolve(document, example)["value"]),
    schema["example"],
    Array.isArray(schema["examples"]) ? schema["examples"][0] : undefined,
    schema["default"],
    Array.isArray(schema["enum"]) ? schema["enum"][0] : undefined,
    schema["minimum"],
  ];
  const found = candidates.find((each) => typeof each === "string" || typeof each === "number");
  if (found !== undefined) return String(found);
  return schema["type"] === "integer" || schema["type"] === "number" ? "1" : "example";
}

/** One call: method and path with everything filled in that is required. */
export interface Sample {
  method: string;
  path: string;
}

/**
 * The call to show first: a GET with the least to fill in, else any operation. Parameters in headers and bodies are
 * not filled in.
 */
export function sampleCall(document: unknown): Sample | undefined {
  if (!isObject(document) || !isObject(document["paths"])) return undefined;
  const found: (Sample & { cost: number })[] = [];
  for (const [path, node] of Object.entries(document["paths"])) {
    const item = resolve(document, node);
    for (const method of ["get", "head", "delete", "put", "patch", "post"]) {
      if (!isObject(item[method])) continue;
      const operation = item[method];
      const listed = [item["parameters"], operation["parameters"]].flatMap((list) => (Array.isArray(list) ? list : []));
      const required = listed.map((each) => resolve(document, each)).filter((each) => each["required"] === true);
      let filled = path;
      const query = new URLSearchParams();
      for (const parameter of required) {
        const value = valueOf(document, parameter);
        if (parameter["in"] === "path") filled = filled.replaceAll(`{${String(parameter["name"])}}`, encodeURIComponent(value));
        if (parameter["in"] === "query") query.set(String(parameter["name"]), value);
      }
      const discouraged = operation["deprecated"] === true ? 50 : 0;
      found.push({
        method: method.toUpperCase(),
        path: filled + (query.size > 0 ? `?${query}` : ""),
        cost: (method === "get" ? 0 : 100) + discouraged + required.length,
      });
    }
  }
  const best = found.toSorted((a, b) => a.cost - b.cost)[0];
  return best && { method: best.method, path: best.path };
}
