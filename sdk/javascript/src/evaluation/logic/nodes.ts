/** Compiled logic: what is written down, what is read, and operators over them. */

import { type Data, fieldOf, isFields, isList } from "./values.js";

/** What is there to be read. */
export interface Scope {
  /** All that is known. */
  readonly root: Data;
  /** What paths lead into: all that is known; in a loop, what it has come to. */
  readonly data: Data;
  /** What `reduce` has made so far, while it goes on. */
  readonly accumulator?: Data;
}

/** Makes a value of others. */
export type Operate = (nodes: readonly Node[], scope: Scope) => Data;

/** An attribute, or a part of what a loop has come to. */
export interface Variable {
  readonly kind: "variable";
  readonly path: readonly string[];
  /** What stands where it is not. */
  readonly otherwise: Node | undefined;
}

/** A part of compiled logic. */
export type Node =
  | { readonly kind: "value"; readonly value: Data }
  | { readonly kind: "list"; readonly nodes: readonly Node[] }
  | Variable
  | { readonly kind: "operator"; readonly name: string; readonly operate: Operate; readonly nodes: readonly Node[] };

const PLACE = /^\+?[0-9]+$/;

/** Says what a part gives; throws a `LogicError` if that cannot be said. */
export function evaluate(node: Node, scope: Scope): Data {
  switch (node.kind) {
    case "value":
      return node.value;
    case "list":
      return node.nodes.map((one) => evaluate(one, scope));
    case "variable":
      return read(node, scope);
    case "operator":
      return node.operate(node.nodes, scope);
  }
}

function read({ path, otherwise }: Variable, scope: Scope): Data {
  const [first, ...rest] = path;
  const { data, accumulator } = scope;
  let found: Data | undefined;
  if (accumulator !== undefined && (first === "current" || first === "accumulator")) {
    found = follow(first === "current" ? data : accumulator, rest);
  } else {
    found = follow(data, path);
  }
  if (found !== undefined) {
    return found;
  }
  return otherwise ? evaluate(otherwise, scope) : null;
}

/** Says what is at the end of a path, if it leads anywhere. */
export function follow(data: Data, path: readonly string[]): Data | undefined {
  let found: Data | undefined = data;
  for (const part of path) {
    if (found === undefined) {
      return undefined;
    }
    if (isFields(found)) {
      found = fieldOf(found, part);
    } else {
      found = isList(found) && PLACE.test(part) ? found[Number(part)] : undefined;
    }
  }
  return found;
}

/** Reads a path; an empty one leads to where it begins. */
export function pathOf(text: string): readonly string[] {
  return text === "" ? [] : text.split(".");
}

/** Whether a part is a list that is written down, and not one that is read. */
export function isWrittenList(node: Node | undefined): boolean {
  return node?.kind === "list" || (node?.kind === "value" && isList(node.value));
}
