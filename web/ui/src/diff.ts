/** What changed between two states of a thing. */

/** One value that differs; `before` or `after` is absent where there was none. */
export interface Change {
  path: string;
  before?: string;
  after?: string;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

/** The values of a JSON document by their path, in the document's order. */
function flat(value: unknown, path = "", into = new Map<string, string>()): Map<string, string> {
  if (typeof value === "object" && value !== null && Object.keys(value).length > 0) {
    for (const [key, child] of Object.entries(value)) flat(child, path ? `${path}.${key}` : key, into);
  } else if (value !== undefined) {
    into.set(path, typeof value === "string" ? value : JSON.stringify(value));
  }
  return into;
}

/** Counts and times that change with every change, and say nothing. */
const noise = new Set(["revision", "updated_at"]);

/** The differences, in the order in which they stand in the documents. */
export function changes(before: unknown, after: unknown): Change[] {
  const old = flat(before ?? undefined);
  const young = flat(after ?? undefined);
  const found: Change[] = [];
  for (const path of new Set([...old.keys(), ...young.keys()])) {
    const [was, is] = [old.get(path), young.get(path)];
    if (was === is || noise.has(path)) continue;
    found.push({ path, ...(was === undefined ? {} : { before: was }), ...(is === undefined ? {} : { after: is }) });
  }
  return found;
}

/**
 * The JSON Merge Patch (RFC 7396) that makes one document the other: `null` takes away what the second has no longer, and
 * what is the same in both is left out.
 */
export function mergePatch(before: unknown, after: unknown): unknown {
  if (!isObject(before) || !isObject(after)) return after;
  const patch: Record<string, unknown> = {};
  for (const name of Object.keys(before)) if (!(name in after)) patch[name] = null;
  for (const [name, value] of Object.entries(after)) {
    if (!(name in before)) patch[name] = value;
    else if (JSON.stringify(before[name]) !== JSON.stringify(value)) patch[name] = mergePatch(before[name], value);
  }
  return patch;
}
